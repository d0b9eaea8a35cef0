/** The typed client: sends the token and the actor's name, and turns every problem into one error. */

import createClient, { type Middleware } from "openapi-fetch";
import { prefs } from "../app/prefs";
import { background } from "../app/presence";
import { connection } from "./connection";
import { me } from "./me";
import type { paths } from "./schema";
import type { Problem } from "./types";

const TOKEN = "holdfast-token";
const SLOW_MS = 20_000;

/** What the API refused, or that it did not answer. */
export class Refusal extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly problem: Problem | null,
  ) {
    super(message);
    this.name = "Refusal";
  }
}

/** The present state, when the change was refused because somebody was faster (412). */
export function currentOf(error: unknown): object | null {
  const found = error instanceof Refusal && error.status === 412 ? error.problem?.current : null;
  return typeof found === "object" ? found : null;
}

/** The token lives as long as the tab; it is never written to disk by us. */
export const token = {
  get: (): string | null => sessionStorage.getItem(TOKEN),
  set: (value: string): void => sessionStorage.setItem(TOKEN, value),
  clear: (): void => sessionStorage.removeItem(TOKEN),
};

/** Who asks, and whether a person does. */
export function authorization(): Record<string, string> {
  const held = token.get();
  return { ...background(), ...(held && { Authorization: `Bearer ${held}` }) };
}

const identity: Middleware = {
  onRequest({ request }) {
    for (const [name, value] of Object.entries(authorization())) request.headers.set(name, value);
    if (request.method !== "GET") {
      request.headers.set("Holdfast-Actor", prefs.get().actor);
      const mark = me.get()?.csrf;
      if (mark) request.headers.set("Holdfast-Csrf", mark);
    }
    return request;
  },
  /** Somebody signed in anew in another tab: learn who it is, so that the next try can be right. */
  async onResponse({ response }) {
    if (response.status !== 403) return;
    const { code } = (await response
      .clone()
      .json()
      .catch(() => ({}))) as { code?: string };
    if (code === "CSRF") me.set(await unwrap(client.GET("/v1/session")));
  },
};

/** Fetch with a limit, telling the connection how it went. */
async function send(request: Request): Promise<Response> {
  let response: Response;
  try {
    const signal = AbortSignal.any([request.signal, AbortSignal.timeout(SLOW_MS)]);
    response = await fetch(request, { signal });
  } catch (error) {
    if (request.signal.aborted) throw error; // nobody wants the answer any more
    const slow = error instanceof DOMException && error.name === "TimeoutError";
    const detail = slow ? `no answer within ${SLOW_MS / 1000} s` : "Holdfast cannot be reached";
    connection.failed(detail);
    throw new Refusal(detail, 0, null);
  }
  if (response.status === 401) connection.locked("");
  else if (response.status >= 500) connection.failed(`it answers ${response.status}`);
  else connection.answered();
  return response;
}

export const client = createClient<paths>({ baseUrl: location.origin, fetch: send });
client.use(identity);

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** Return the data of an answer, or throw its problem as a `Refusal`. */
export async function unwrap<T>(answer: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await answer;
  if (response.ok && data !== undefined) return data;
  const problem = isProblem(error) ? error : null;
  const text = problem?.detail ?? `the API answered ${response.status}`;
  throw new Refusal(text, response.status, problem);
}

function isProblem(value: unknown): value is Problem {
  return typeof value === "object" && value !== null && "detail" in value && "code" in value;
}
