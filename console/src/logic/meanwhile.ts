/** What changed between the state that a person saw and the present one, in words. */

import { diff } from "./diff";
import { BREAKER_WORDS, STATUS_WORDS } from "./words";

export interface Difference {
  name: string;
  seen: string;
  now: string;
}

const NAMES: Record<string, string> = {
  status: "Status",
  code: "Ended by",
  generation: "Generation",
  attempts: "Tries",
  due_at: "Due",
  endpoint: "Endpoint",
  reason: "Reason",
  breaker: "Breaker",
  paused: "Paused",
  manual: "Set by a person",
  "disabled.0": "Endpoint gone",
  state: "State",
  why: "Why",
  changed: "Changed",
  failed: "Failed again",
  nature: "Judged",
};

const WORDS: Record<string, Record<string, string>> = {
  status: STATUS_WORDS,
  breaker: BREAKER_WORDS,
  manual: { true: "yes", false: "no" },
};

export function meanwhile(seen: object, now: object): Difference[] {
  return diff(seen, now, /^$/)
    .filter(({ path }) => path in NAMES)
    .map(({ path, before, after }) => ({
      name: NAMES[path] ?? path,
      seen: WORDS[path]?.[before] ?? before,
      now: WORDS[path]?.[after] ?? after,
    }));
}
