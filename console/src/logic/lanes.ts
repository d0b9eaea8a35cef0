/** What a lane's state means: how bad it is, and why it does not send freely. */

import type { Recipient } from "../api/types";
import { gateWord } from "./words";

/** Gates that close and open many times a second: no reason to worry. */
const BUSY = new Set(["concurrency", "pace", "turn"]);

export type Tone = "bad" | "warn" | "hold" | "ok";

/** Return how a lane stands: needs a person, is in trouble, holds on purpose, flows. */
export function tone(lane: Recipient): Tone {
  if (lane.breaker === "open" || lane.breaker === "half_open") return "bad";
  const gates = (lane.gates ?? []).map((gate) => gate.gate);
  if (gates.includes("credentials") || gates.includes("endpoint")) return "bad";
  if (lane.paused !== null) return "hold";
  if (lane.breaker === "recovery" || lane.disabled.length > 0) return "warn";
  return gates.some((gate) => !BUSY.has(gate)) ? "hold" : "ok";
}

const ORDER: Record<Tone, number> = { bad: 0, warn: 1, hold: 2, ok: 3 };

/** Trouble first, then what waits most, then by name. */
export function byTrouble(lanes: Recipient[]): Recipient[] {
  return [...lanes].sort(
    (a, b) =>
      ORDER[tone(a)] - ORDER[tone(b)] ||
      b.dead + b.pending - (a.dead + a.pending) ||
      a.recipient.localeCompare(b.recipient),
  );
}

export interface Why {
  text: string;
  /** When it may end, an instant. */
  until: string | null;
  untilWord: string;
}

/** Why a lane does not send freely, in one line; null when it does. */
export function why(lane: Recipient): Why | null {
  if (lane.paused !== null) return say(`paused: ${lane.paused}`);
  if (lane.breaker === "half_open") return say("probing, one delivery at a time");
  if (lane.breaker === "open") {
    const reason = lane.reason ? `down: ${lane.reason}` : "down";
    return lane.manual
      ? say(`held open by a person: ${lane.reason ?? ""}`)
      : say(reason, lane.next_probe ?? lane.retry_at, "next probe");
  }
  const gate = (lane.gates ?? []).find((one) => !BUSY.has(one.gate));
  if (gate) {
    return say(gate.reason ?? gateWord(gate.gate).toLowerCase(), gate.until ?? null, "opens");
  }
  if (lane.disabled.length > 0) return say(`endpoint gone (410): ${lane.disabled.join(", ")}`);
  if (lane.breaker === "recovery") return say(recovering(lane));
  return null;
}

function recovering(lane: Recipient): string {
  return lane.rate === null
    ? "the rate rises step by step"
    : `at most ${lane.rate.toFixed(1)}/s for now`;
}

function say(text: string, until: string | null = null, untilWord = ""): Why {
  return { text, until, untilWord };
}
