/** A delivery's request as a command; what is secret or not shown is a variable to fill in. */

import type { Delivery, RetryEvent } from "../api/types";

export function curl(
  delivery: Delivery,
  endpoint: { method: string; origin: string } | undefined,
  last: RetryEvent | undefined,
): string {
  const lines = [
    `curl -i -X ${endpoint?.method ?? "POST"} "${quoted(endpoint?.origin ?? "")}$ENDPOINT_PATH"`,
    `-H "Authorization: $AUTHORIZATION"`,
    `-H "Content-Type: application/json"`,
    `-H "Idempotency-Key: ${delivery.id}"`,
    `-H "webhook-id: ${delivery.id}"`,
    `-H "Holdfast-Attempt: ${last?.attempt_number ?? 0}"`,
    `--data-binary @payload.json`,
  ];
  const note =
    "# ENDPOINT_PATH, AUTHORIZATION and payload.json are yours to fill in: they are not shown.\n" +
    "# The Idempotency-Key is the delivery's own, so a partner that has it answers as a duplicate.\n";
  return note + lines.join(" \\\n  ");
}

/** Keep a text inside double quotes of a shell. */
function quoted(text: string): string {
  return text.replace(/[\\"$`]/g, "\\$&");
}
