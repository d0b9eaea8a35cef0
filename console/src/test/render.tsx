/** Renders a part as the application does, in front of an API that answers what a test says. */

import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { render } from "@testing-library/react";
import type { ReactNode } from "react";
import type {
  Alert,
  CriticalPage,
  Delivery,
  GroupDetail,
  GroupLine,
  Member,
  Operation,
  Overview,
  Preview,
  Recipient,
  RetryEvent,
  Spool,
  Worker,
} from "../api/types";
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
  /** The body as it came, for what JSON.parse would change. */
  text: string;
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
      text,
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
    by_priority: { high: 0, normal: 0, low: 0 },
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
    value: 0,
    parent: null,
    group: null,
    assignee: null,
    cause: null,
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
    judgement: null,
    configuration: { strategy: "exponential", max_retries: 3 },
    error_details: { class: "server", http_status: 503, message: "status=503: Server error" },
    success_indicators: null,
    next_action: { type: "retry", at: "2026-01-01T00:00:03.000Z", reason: null },
    context: {},
    ...part,
  };
}

export const CUT_OFF = "2026-01-01T00:01:00.000Z";

export function preview(part: Partial<Preview> = {}): Preview {
  return {
    kind: "redrive",
    cut_off: CUT_OFF,
    count: 1,
    at_least: false,
    sample: [delivery()],
    strata: [{ recipient: "acme", failure_class: "business", count: 1 }],
    ...part,
  };
}

export function operation(part: Partial<Operation> = {}): Operation {
  return {
    id: `opr_${"0".repeat(31)}1`,
    revision: 1,
    tag: "running-1790000000000",
    kind: "redrive",
    state: "running",
    stage: "main",
    why: null,
    q: "status:dead",
    ids: 0,
    actor: "ada",
    reason: "partner is back",
    cut_off: CUT_OFF,
    expected: 2,
    at_least: false,
    changed: 0,
    waiting: 0,
    delivered: 0,
    failed: 0,
    ended: 0,
    skipped: 0,
    undone: 0,
    kept: 0,
    remaining: 2,
    skips: {},
    rate: 50,
    present_rate: 50,
    concurrency: 500,
    batch: 200,
    stop_error_rate: 0.5,
    canary: null,
    gate: null,
    at: null,
    priority: null,
    endpoint: null,
    created_at: CUT_OFF,
    released_at: null,
    ended_at: null,
    undo_until: null,
    ...part,
  };
}

export const GROUP = "g1_00000000000000ab";

export function groupLine(part: Partial<GroupLine> = {}): GroupLine {
  return {
    key: GROUP,
    q: `group:${GROUP}`,
    id: GROUP,
    groups: 1,
    status: "open",
    owner: null,
    nature: null,
    cause: "business",
    failure_class: "business",
    code: "200",
    template: "postal code # is unknown",
    flow: "leads",
    step: "to-acme",
    recipient: "acme",
    recipients: ["acme"],
    recipient_count: 1,
    dead: 120,
    pending: 3,
    at_least: false,
    dead_value: 2400,
    pending_value: 60,
    value_at_risk: 2460,
    sample: id(1),
    failures: 500,
    first_seen_at: CUT_OFF,
    last_seen_at: CUT_OFF,
    spark: [0, 4, 2],
    recovered: 0,
    lost: 0,
    presumed: null,
    ...part,
  };
}

export function groupDetail(part: Partial<GroupDetail["group"]> = {}): GroupDetail {
  const group = {
    id: GROUP,
    revision: 2,
    account: "default",
    status: "open" as const,
    owner: null,
    until: null,
    until_failures: null,
    resolved_at: null,
    regressed_at: null,
    changed_at: null,
    changed_by: null,
    why: null,
    nature: null,
    judged_at: null,
    judged_by: null,
    cause: "business" as const,
    caused_by: null,
    resolutions: 0,
    regressions: 0,
    ...part,
  };
  return {
    group,
    line: groupLine({ status: group.status, owner: group.owner, nature: group.nature }),
    since: CUT_OFF,
    bucket_ms: 3_600_000,
    explanation: {
      version: 1,
      text: "The same class, code and masked reason.",
      failure_class: "business",
      code: "200",
      template: "postal code # is unknown",
      recipient: "acme",
      flow: "leads",
      step: "to-acme",
    },
    samples: [delivery({ group: GROUP })],
    history: [],
  };
}

export function alert(part: Partial<Alert> = {}): Alert {
  return {
    kind: "new",
    at: CUT_OFF,
    group: GROUP,
    owner: null,
    recipient: "acme",
    flow: "leads",
    step: "to-acme",
    failure_class: "business",
    code: "422",
    template: "postal code # is unknown",
    dead: 12,
    pending: 3,
    at_least: false,
    failures: 20,
    last_seen_at: CUT_OFF,
    sample: id(1),
    ...part,
  };
}

export function critical(part: Partial<CriticalPage> = {}): CriticalPage {
  return { items: [], priority: 7, count: 0, at_least: false, ...part };
}

export function spool(part: Partial<Spool> = {}): Spool {
  return {
    on: false,
    messages: 0,
    bytes: 0,
    limit_bytes: 268_435_456,
    since: null,
    drained: 0,
    kept: 0,
    refusal: null,
    ...part,
  };
}

export function worker(part: Partial<Worker> = {}): Worker {
  return {
    id: "epoch-1",
    started_at: CUT_OFF,
    epoch: 1,
    clean: true,
    ready: true,
    held: null,
    slots: 512,
    in_flight: 0,
    buffered: 0,
    lanes: 1,
    commits: 1,
    cpu: 0.1,
    memory: 0.2,
    load: 0.3,
    disk: 0.4,
    process_memory: 1,
    spool: null,
    ...part,
  };
}

/** What the API tells who sees everything; of an account only `depth`, `active` and `lanes`. */
export function overview(part: Partial<Overview> = {}): Overview {
  const window = { covered_ms: 60_000, accepted: 0, tries: 0, successes: 0, failures: {} };
  return {
    at: CUT_OFF,
    active: 0,
    depth: 0,
    by_priority: { high: 0, normal: 0, low: 0 },
    oldest_due_ms: 0,
    lanes: { closed: 1 },
    windows: [1, 5, 15, 60].map((minutes) => ({
      ...window,
      minutes,
      p50_ms: null,
      p95_ms: null,
    })),
    points: [],
    workers: [worker()],
    ...part,
  };
}

export function member(part: Partial<Member> = {}): Member {
  return {
    name: "one",
    epoch: 1,
    host: "h",
    pid: 1,
    version: "1",
    configuration: 0,
    started_at: null,
    lease_until: null,
    slots: 8,
    open_slots: 8,
    in_flight: 0,
    lanes: 1,
    share: 1,
    leaving: false,
    load: null,
    ...part,
  };
}
