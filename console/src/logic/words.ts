/** The engine's names in words for people; docs/reference/codes.md has the long form. */

export const STATUS_WORDS: Record<string, string> = {
  pending: "pending",
  delivered: "delivered",
  dead: "in review",
  discarded: "discarded",
};

export const BREAKER_WORDS: Record<string, string> = {
  closed: "closed",
  open: "open",
  half_open: "probing",
  recovery: "recovering",
};

export const STAGE_WORDS: Record<string, string> = {
  proposed: "waits for approval",
  approved: "approved",
  rejected: "rejected",
  current: "current",
  replaced: "replaced",
  superseded: "superseded",
  unsound: "changed in the store",
};

const CODES: Record<string, string> = {
  RETRY_LIMIT_EXCEEDED: "Retries or active time are used up, although others get through.",
  HARD_FAILURE: "The answer means that a retry would fail the same way.",
  JUDGED_PERMANENT: "A person judged the failures of its group permanent.",
  NOT_WORTH_IT: "Going on costs more than it can bring.",
  EXPIRED: "Its time has run out.",
  CIRCUIT_OPEN: "The breaker is open and this lane drops.",
  WORKER_CRASH: "Three workers ended while sending it.",
  PAYLOAD_MISSING: "The payload was purged or does not open.",
  PREDECESSOR: "The step before it ended without success.",
  CANCELLED: "A person cancelled it.",
  LIKELY_DELIVERED: "The partner called it a duplicate after a send without an answer.",
  BY_HAND: "A person marked it delivered, with proof.",
  CONSENT_MISSING: "The flow wants a consent record and there is none.",
  CONSENT_EXPIRED: "The consent had expired.",
  CONSENT_REVOKED: "The consent was revoked.",
  REGION_NOT_ALLOWED: "The data may not go to the region of this endpoint.",
};

export const CODE_NAMES = Object.keys(CODES);

export function codeMeaning(code: string): string | undefined {
  return CODES[code];
}

const GATES: Record<string, string> = {
  paused: "Paused by a person",
  credentials: "Our credentials are refused",
  endpoint: "Every endpoint is gone (410)",
  hours: "Outside business hours",
  maintenance: "Announced maintenance",
  cap: "Cap of the period reached",
  breaker: "Breaker is open",
  rate: "The partner asks to wait",
  budget: "Retry budget is empty",
  limit: "Rate limit used up",
  pace: "Rate rises step by step",
  concurrency: "All its slots are taken",
  store: "No room on disk",
  not_before: "Not before its own time",
  backoff: "Waits for its retry time",
  predecessor: "Waits for the step before",
  shutdown: "Given back at shutdown",
  batch: "Retries wait for a batch window",
  contact_hours: "Outside contact hours",
  suspect: "Suspected of ending its worker",
  turn: "Its turn is next",
  rule: "Held by a rule",
};

export const GATE_NAMES = Object.keys(GATES);

export function gateWord(gate: string): string {
  return GATES[gate] ?? gate.replaceAll("_", " ");
}

const NEXT: Record<string, string> = {
  done: "done",
  retry: "retry",
  hold: "hold",
  dead_letter: "to review",
  discard: "discard",
};

export function nextWord(type: string): string {
  return NEXT[type] ?? type.replaceAll("_", " ");
}

/** `dlv_00af…9c21`: enough to recognise, never the only way to get the whole. */
export function short(id: string): string {
  const [kind, rest] = id.split("_", 2);
  return rest && rest.length > 12 ? `${kind}_…${rest.slice(-8)}` : id;
}
