/** Failures that look alike, among the newest events: what fails, where, how often, since when. */

import type { RetryEvent } from "../api/types";

export interface Pattern {
  key: string;
  recipient: string;
  failureClass: string;
  reason: string;
  status: number | null;
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
    const status = event.error_details?.http_status;
    const key = [event.recipient, failureClass, reason, status].join("\u0000");
    const at = event.retry_timestamp ?? "";
    const known = found.get(key);
    if (known === undefined) {
      found.set(key, {
        key,
        recipient: event.recipient,
        failureClass,
        reason,
        status: status ?? null,
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

const STATUS = /^status=\d+: /;

/** What an event says went wrong, in one line; its HTTP status is shown apart. */
export function told(event: RetryEvent): string {
  const details = event.error_details;
  const said = details?.message ?? details?.code ?? event.next_action.reason ?? event.outcome;
  return said.replace(STATUS, "");
}
