/** The overview's first sentence: what is failing, or that nothing is. */

import type { Recipient } from "../api/types";
import { tone } from "./lanes";

export interface Headline {
  tone: "bad" | "warn" | "ok";
  /** Words with the lanes that they speak of between them. */
  text: string;
  lanes: string[];
}

export function headline(lanes: Recipient[]): Headline {
  const of = (wanted: string) =>
    lanes.filter((lane) => tone(lane) === wanted).map((lane) => lane.recipient);
  const [bad, warn, hold] = [of("bad"), of("warn"), of("hold")];
  if (lanes.length === 0) return { tone: "ok", text: "No recipient is configured", lanes: [] };
  if (bad.length > 0) {
    const text = `${bad.length} of ${recipients(lanes.length)} ${bad.length === 1 ? "takes" : "take"} nothing`;
    return { tone: "bad", text, lanes: bad };
  }
  if (warn.length > 0) {
    const verb = warn.length === 1 ? "recovers" : "recover";
    return {
      tone: "warn",
      text: `${warn.length} of ${recipients(lanes.length)} ${verb}`,
      lanes: warn,
    };
  }
  if (hold.length > 0) {
    const verb = hold.length === 1 ? "waits" : "wait";
    const text = `${hold.length} of ${recipients(lanes.length)} ${verb}, as set or asked`;
    return { tone: "ok", text, lanes: hold };
  }
  return { tone: "ok", text: `All ${recipients(lanes.length)} take what they are sent`, lanes: [] };
}

function recipients(number: number): string {
  return number === 1 ? "1 recipient" : `${number} recipients`;
}
