/** `GET /v1/stream`: what changed, while it changes. `EventSource` can send no token, so it is read. */

import { type Said, split } from "../logic/sse";
import { authorization } from "./client";

const PATH = "/v1/stream?topics=lanes,deliveries,events,operations,groups";
/** It beats every 15 s; after so much silence it is dead although nobody said so. */
const SILENT_MS = 40_000;
const FIRST_WAIT_MS = 2_000;
const LAST_WAIT_MS = 30_000;
/** Where there is no stream, nobody need ask often. */
const ABSENT_WAIT_MS = 60_000;

export interface Hearing {
  hear: (said: Said) => void;
  /** Whether words come now. */
  flowing: (yes: boolean) => void;
}

/** Follow the stream until the signal, coming back whenever it ends. */
export async function follow(signal: AbortSignal, hearing: Hearing): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    let wait = Math.min(LAST_WAIT_MS, FIRST_WAIT_MS * 2 ** failures);
    failures += 1;
    try {
      const refused = await once(signal, {
        ...hearing,
        hear: (said) => {
          failures = 0;
          hearing.hear(said);
        },
      });
      wait = refused ?? FIRST_WAIT_MS;
    } catch {
      // Broken off or not reached: polling goes on meanwhile and says what is wrong.
    }
    if (signal.aborted) return;
    hearing.flowing(false);
    await pause(wait, signal);
  }
}

/** Hear one connection to its end; return how long to wait when there is none to hear. */
async function once(signal: AbortSignal, { hear, flowing }: Hearing): Promise<number | null> {
  const silence = new AbortController();
  const both = AbortSignal.any([signal, silence.signal]);
  let timer = setTimeout(() => silence.abort(), SILENT_MS);
  try {
    const response = await fetch(location.origin + PATH, {
      headers: authorization(),
      signal: both,
    });
    const kind = response.headers.get("content-type") ?? "";
    if (!response.ok || !response.body || !kind.startsWith("text/event-stream")) {
      await response.body?.cancel();
      const patience = Number(response.headers.get("retry-after"));
      return patience > 0 ? patience * 1000 : ABSENT_WAIT_MS;
    }
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let left = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return null;
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENT_MS);
      const found = split(left, value);
      left = found.left;
      if (found.said.length > 0) flowing(true);
      for (const said of found.said) hear(said);
    }
  } finally {
    clearTimeout(timer);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
