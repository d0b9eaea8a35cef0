/** Renders a part as the application does, in front of an API that answers what a test says. */

import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { render } from "@testing-library/react";
import type { ReactNode } from "react";
import type { Delivery, Recipient, RetryEvent } from "../api/types";
import { makeQueries } from "../app/App";
import { LiveProvider } from "../app/live";

export function show(part: ReactNode) {
  return render(
    <MantineProvider env="test">
      <QueryClientProvider client={makeQueries()}>
        <LiveProvider>{part}</LiveProvider>
      </QueryClientProvider>
    </MantineProvider>,
  );
}

export interface Asked {
  method: string;
  path: string;
  body: unknown;
  headers: Headers;
}

type Reply = (asked: Asked) => { status?: number; body: unknown };

/** Answer the API's requests; the returned list grows with what was asked. */
export function answering(reply: Reply): Asked[] {
  const seen: Asked[] = [];
  globalThis.fetch = async (input, init) => {
    const request = new Request(input as Request, init);
    const text = await request.text();
    const asked: Asked = {
      method: request.method,
      path: request.url.replace(location.origin, ""),
      body: text ? JSON.parse(text) : null,
      headers: request.headers,
    };
    seen.push(asked);
    const { status = 200, body } = reply(asked);
    const kind = status < 400 ? "application/json" : "application/problem+json";
    return new Response(JSON.stringify(body), { status, headers: { "content-type": kind } });
  };
  return seen;
}

export function lane(part: Partial<Recipient> = {}): Recipient {
  return {
    recipient: "acme",
    tag: "t1",
    account: "default",
    description: "",
    zone: "UTC",
    endpoints: [{ name: "main", method: "POST", origin: "https://acme.example", disabled: false }],
    breaker: "closed",
    since: null,
    reason: null,
    manual: false,
    retry_at: null,
    next_probe: null,
    rate: null,
    gate_until: null,
    gate_reason: null,
    paused: null,
    disabled: [],
    in_flight: 0,
    buffered: 0,
    pending: 0,
    delivered: 0,
    dead: 0,
    discarded: 0,
    created: 0,
    pruned: 0,
    last_success_at: null,
    concurrency: 8,
    weight: 1,
    probe: null,
    usual_failures: 0.05,
    retries_at: null,
    gates: [],
    drain: null,
    ...part,
  };
}

export function id(number: number): string {
  return `dlv_${number.toString(16).padStart(32, "0")}`;
}

export function delivery(part: Partial<Delivery> = {}): Delivery {
  return {
    id: id(1),
    message_id: `msg_${"0".repeat(31)}1`,
    revision: 1,
    account: "default",
    flow: "leads",
    step: "to-acme",
    recipient: "acme",
    priority: 5,
    predecessor: null,
    status: "dead",
    code: "HARD_FAILURE",
    due_at: null,
    expires_at: null,
    created_at: "2026-01-01T00:00:00.000Z",
    updated_at: "2026-01-01T00:00:05.000Z",
    ended_at: "2026-01-01T00:00:05.000Z",
    first_attempt_at: "2026-01-01T00:00:01.000Z",
    generation: 0,
    attempt: 1,
    counted: 1,
    attempts: 1,
    active_ms: 12,
    in_doubt: false,
    hold_gate: null,
    failure_class: "business",
    http_status: 200,
    reason: "Duplicate lead",
    original_event_id: "evt_1",
    endpoint: null,
    ...part,
  };
}

export function event(part: Partial<RetryEvent> = {}): RetryEvent {
  return {
    event_id: `evt_${part.position ?? 1}`,
    position: 1,
    original_event_id: "evt_1",
    delivery_id: id(1),
    message_id: `msg_${"0".repeat(31)}1`,
    account: "default",
    flow: "leads",
    step: "to-acme",
    recipient: "acme",
    endpoint: "main",
    step_type: "delivery",
    attempt_number: 0,
    generation: 0,
    cumulative_attempt: 0,
    counted: true,
    stale: false,
    trigger: "automatic",
    trigger_detail: "queue",
    actor: null,
    failure_reason: null,
    retry_timestamp: "2026-01-01T00:00:01.000Z",
    retry_outcome: "failure",
    outcome: "error",
    retryable: true,
    failure_class: "server",
    request_timestamp: "2026-01-01T00:00:01.000Z",
    acknowledgment_timestamp: "2026-01-01T00:00:01.040Z",
    latency_ms: 40,
    processing_time_ms: 41,
    jitter: null,
    probe: null,
    refunded: 0,
    rules: [],
    configuration: { strategy: "exponential", max_retries: 3 },
    error_details: { class: "server", http_status: 503, message: "status=503: Server error" },
    success_indicators: null,
    next_action: { type: "retry", at: "2026-01-01T00:00:03.000Z", reason: null },
    context: {},
    ...part,
  };
}
