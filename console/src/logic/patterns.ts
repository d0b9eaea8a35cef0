/** Failures that look alike, among the newest events: what fails, where, how often, since when. */

import type { RetryEvent } from "../api/types";

export interface Pattern {
  key: string;
  recipient: string;
  failureClass: string;
  reason: string;
  count: number;
  first: string;
  last: string;
  sample: string;
}

/** Group failed tries by recipient, class and reason; the most frequent first. */
export function patterns(events: RetryEvent[]): Pattern[] {
  const found = new Map<string, Pattern>();
  for (const event of events) {
    if (event.outcome === "success" || event.outcome === "skip") continue;
    const failureClass = event.failure_class ?? event.error_details?.class ?? "unknown";
    const reason = told(event);
    const key = [event.recipient, failureClass, reason].join("\u0000");
    const at = event.retry_timestamp ?? "";
    const known = found.get(key);
    if (known === undefined) {
      found.set(key, {
        key,
        recipient: event.recipient,
        failureClass,
        reason,
        count: 1,
        first: at,
        last: at,
        sample: event.delivery_id,
      });
    } else {
      known.count += 1;
      if (at < known.first) known.first = at;
      if (at > known.last) known.last = at;
    }
  }
  return [...found.values()].sort((a, b) => b.count - a.count || b.last.localeCompare(a.last));
}

/** What an event says went wrong, in one line. */
export function told(event: RetryEvent): string {
  const details = event.error_details;
  return details?.message ?? details?.code ?? event.next_action.reason ?? event.outcome;
}
