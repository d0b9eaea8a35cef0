/** Events as rates over time, for a plot: at most `POINTS` equal stretches. */

import type { RetryEvent } from "../api/types";

const POINTS = 60;
const LEAST_MS = 1000;

export interface Buckets {
  times: number[];
  successes: number[];
  failures: number[];
}

export function bucketed(events: RetryEvent[]): Buckets {
  const at = events
    .map((event) => Date.parse(event.retry_timestamp ?? ""))
    .filter((one) => !Number.isNaN(one));
  const made: Buckets = { times: [], successes: [], failures: [] };
  if (at.length < 2) return made;
  const [first, last] = [Math.min(...at), Math.max(...at)];
  const size = Math.max(LEAST_MS, Math.ceil((last - first + 1) / POINTS));
  const number = Math.floor((last - first) / size) + 1;
  for (let index = 0; index < number; index += 1) {
    made.times.push(first + (index + 1) * size);
    made.successes.push(0);
    made.failures.push(0);
  }
  for (const event of events) {
    const index = Math.floor((Date.parse(event.retry_timestamp ?? "") - first) / size);
    const counts = event.outcome === "success" ? made.successes : made.failures;
    counts[index] = (counts[index] ?? 0) + 1000 / size;
  }
  return made;
}
