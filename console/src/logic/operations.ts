/** What an operation is at, in words and parts; and the order that a filled-in form means. */

import type { Kind, Operation, Order, Status } from "../api/types";
import { count, percent, plural, rate, setShare, span } from "./numbers";
import { only, terms } from "./query";

export interface KindWords {
  /** Imperative, as on the button. */
  verb: string;
  /** As in a title: `Redrive of 12 deliveries`. */
  noun: string;
  /** Where a delivery must stand for it. */
  from: Status;
  /** One sentence: the consequence. */
  says: string;
  danger: boolean;
}

export const KINDS: Record<Kind, KindWords> = {
  redrive: {
    verb: "Redrive",
    noun: "Redrive",
    from: "dead",
    says: "They return to their lanes with all their retries, under the same key.",
    danger: false,
  },
  discard: {
    verb: "Discard",
    noun: "Discard",
    from: "dead",
    says: "They are given up. For a while the whole can be undone.",
    danger: true,
  },
  cancel: {
    verb: "Cancel",
    noun: "Cancel",
    from: "pending",
    says: "They are given up. A send that is under way may still arrive, and then counts.",
    danger: true,
  },
  reschedule: {
    verb: "Reschedule",
    noun: "Reschedule",
    from: "pending",
    says: "Their earliest next send is moved; their lanes may still hold them longer.",
    danger: false,
  },
  priority: {
    verb: "Set priority",
    noun: "Change of priority",
    from: "pending",
    says: "Of what waits in a lane, higher priority goes first.",
    danger: false,
  },
  endpoint: {
    verb: "Set endpoint",
    noun: "Change of endpoint",
    from: "pending",
    says: "They are sent to another endpoint of their recipient from now on.",
    danger: false,
  },
};

export const KIND_NAMES = Object.keys(KINDS) as Kind[];

/** The kinds that can act on some of what a query finds, the likeliest first. */
export function kindsFor(q: string): Kind[] {
  const own = terms(q).filter((term) => term.qualifier === "status" && !term.negated);
  const words = own.flatMap((term) => term.words.map((word) => word.text));
  return KIND_NAMES.filter((kind) => words.length === 0 || words.includes(KINDS[kind].from));
}

export interface Part {
  name: string;
  number: number;
  tone: "ok" | "bad" | "hold" | "quiet" | "none";
}

/** What became of the deliveries, in the order of a bar; parts without any are left out. */
export function parts(one: Operation): Part[] {
  const undo = one.undone + one.kept;
  const settled = one.changed - one.delivered - one.failed - one.ended - one.waiting - undo;
  const all: Part[] = [
    { name: "delivered", number: one.delivered, tone: "ok" },
    { name: one.kind === "redrive" ? "changed" : "done", number: settled, tone: "ok" },
    { name: "failed again", number: one.failed, tone: "bad" },
    { name: "given up since", number: one.ended, tone: "quiet" },
    { name: "under way", number: one.waiting, tone: "hold" },
    { name: "undone", number: one.undone, tone: "quiet" },
    { name: "kept", number: one.kept, tone: "hold" },
    { name: "skipped", number: one.skipped, tone: "quiet" },
    { name: "still to do", number: one.remaining, tone: "none" },
  ];
  return all.filter((part) => part.number > 0);
}

/** How many have been handled, of how many that are known of. */
export function handled(one: Operation): { done: number; of: number } {
  const done = one.changed + one.skipped;
  return { done, of: Math.max(one.expected, done + one.remaining) };
}

export interface Standing {
  tone: "ok" | "bad" | "warn" | "hold" | "quiet";
  shape: "full" | "half" | "pause" | "dash" | "ring";
  word: string;
  /** What it is at. */
  says: string;
}

const STAGES: Record<Operation["stage"], string> = {
  draw: "it draws the canary",
  gate: "the canary's outcomes are waited for",
  main: "it goes through the selection",
  last: "all are changed; outcomes are waited for",
  end: "",
};

export function standing(one: Operation): Standing {
  switch (one.state) {
    case "running":
      return { tone: "hold", shape: "half", word: "running", says: STAGES[one.stage] };
    case "paused":
      return { tone: "warn", shape: "pause", word: "paused", says: one.why ?? "" };
    case "cancelled":
      return { tone: "quiet", shape: "dash", word: "cancelled", says: one.why ?? "" };
    case "undoing":
      return { tone: "hold", shape: "half", word: "undoing", says: "what it took is brought back" };
    case "undone":
      return { tone: "quiet", shape: "dash", word: "undone", says: undone(one) };
    case "completed":
      return one.failed > 0
        ? {
            tone: "bad",
            shape: "full",
            word: "completed",
            says: `${count(one.failed)} failed again`,
          }
        : { tone: "ok", shape: "full", word: "completed", says: "" };
  }
}

function undone(one: Operation): string {
  return one.kept > 0 ? `${count(one.kept)} kept, as something else has changed them since` : "";
}

/** `12 deliveries`, `at least 12 deliveries`. */
export function amount(number: number, atLeast: boolean): string {
  return `${atLeast ? "at least " : ""}${plural(number, "delivery", "deliveries")}`;
}

/** What it is about, for a title. */
export function titled(one: Operation): string {
  return `${KINDS[one.kind].noun} of ${amount(one.expected, one.at_least)}`;
}

/** After a canary the rate begins at this and doubles so often; the engine does the same. */
const FIRST_RATE = 1;
const RAMP_S = 5;

/** The rates that it climbs through, up to the plan's; one without a canary has only that. */
export function staircase(plan: Pick<Operation, "rate" | "canary">): number[] {
  if (plan.canary === null) return [plan.rate];
  const found: number[] = [];
  for (let step = Math.min(FIRST_RATE, plan.rate); step < plan.rate; step *= 2) found.push(step);
  return [...found, plan.rate];
}

/** On which step of the stairs it is. */
export function stepOf(stairs: number[], present: number): number {
  const at = stairs.findIndex((step) => step >= present * 0.999);
  return at < 0 ? stairs.length - 1 : at;
}

/** Seconds for so many at its rate while it climbs; what the lanes hold back is not in it. */
export function walkSeconds(number: number, present: number, most: number): number {
  let [left, now, seconds] = [number, Math.min(present, most), 0];
  while (left > 0 && now < most) {
    if (left <= now * RAMP_S) return seconds + left / now;
    left -= now * RAMP_S;
    seconds += RAMP_S;
    now = Math.min(most, now * 2);
  }
  return seconds + left / most;
}

/** When all are changed, at the earliest; "" when that says nothing. */
export function through(one: Operation): string {
  if (one.state !== "running" || one.stage !== "main" || one.remaining === 0) return "";
  const least = one.at_least ? "more than " : "";
  return `${least}${span(walkSeconds(one.remaining, one.present_rate, one.rate) * 1000)}`;
}

/** Why deliveries were skipped or kept, in words. */
const SKIPS: Record<string, string> = {
  PREDECESSOR: "the step before it has not succeeded",
  CONSENT_REVOKED: "the consent was revoked",
  ENDPOINT: "its recipient has no endpoint of that name",
  NOT_THEN: "it expires before then, or waits for another",
  CHANGED: "something else changed it first",
};

export function skipWord(reason: string): string {
  return SKIPS[reason] ?? reason.toLowerCase().replaceAll("_", " ");
}

/** What is filled in; numbers are as the fields give them. */
export interface Fields {
  kind: Kind;
  rate: number | string;
  concurrency: number | string;
  /** Percent. */
  stop: number | string;
  canary: boolean;
  size: number | string;
  /** Percent. */
  bound: number | string;
  at: string;
  priority: number | string;
  endpoint: string;
  /** Hours. */
  undo: number | string;
}

export const USUAL: Omit<Fields, "kind" | "canary"> = {
  rate: 50,
  concurrency: 500,
  stop: 50,
  size: 20,
  bound: 80,
  at: "",
  priority: 5,
  endpoint: "",
  undo: 1,
};

/** From so many on a canary goes first, unless somebody takes it out. */
export const CANARY_FROM = 100;

/** Which deliveries: those of a search, or those that were marked. */
export interface Selection {
  q: string;
  ids?: readonly string[];
  /** Whose they all are, where that is known otherwise than by the search. */
  recipient?: string;
}

/** Most deliveries that an order may name. */
export const IDS_MAX = 1000;

function aim({ q, ids }: Selection): Pick<Order, "q" | "ids"> {
  return ids ? { ids: [...ids] } : { q };
}

/** What a kind cannot do without; it does not change what counts. */
const ANY: Partial<Record<Kind, Partial<Order>>> = {
  reschedule: { at: "2000-01-01T00:00:00.000Z" },
  priority: { priority: 0 },
  endpoint: { endpoint: "any" },
};

/** The order whose preview tells how many there are, and which. */
export function counted(selection: Selection, kind: Kind): Omit<Order, "reason"> {
  return { kind, ...aim(selection), ...ANY[kind] };
}

/** The whole order, on just what the preview counted. */
export function ordered(
  selection: Selection,
  fields: Fields,
  { cutOff, reason, now }: { cutOff: string | null; reason: string; now: Date },
): Order {
  const { kind } = fields;
  const order: Order = { kind, ...aim(selection), rate: Number(fields.rate), reason };
  if (cutOff) order.cut_off = cutOff;
  if (kind === "reschedule") order.at = (fields.at ? new Date(fields.at) : now).toISOString();
  if (kind === "priority" && fields.priority !== "") order.priority = Number(fields.priority);
  if (kind === "discard" && fields.undo !== "") order.undo_seconds = Number(fields.undo) * 3600;
  if ((kind === "redrive" || kind === "endpoint") && fields.endpoint) {
    order.endpoint = fields.endpoint;
  }
  if (kind !== "redrive") return order;
  order.concurrency = Number(fields.concurrency);
  order.stop_error_rate = Number(fields.stop) / 100;
  if (fields.canary) {
    order.canary = { size: Number(fields.size), bound: Number(fields.bound) / 100 };
  }
  return order;
}

/** The only recipient of all, to know its endpoints; "": there may be several. */
export function recipientOf({ q, recipient }: Selection): string {
  return recipient ?? only(q, "recipient");
}

/** What a gate has seen: the share that is sure, and the one that is asked. */
export function gateSays(gate: NonNullable<Operation["gate"]>): string {
  const out = gate.size - gate.delivered - gate.failed;
  const open = out > 0 ? `, ${count(out)} without an outcome yet` : "";
  return (
    `${count(gate.delivered)} of ${count(gate.size)} delivered, ${count(gate.failed)} failed${open}; ` +
    `success is surely (95 %) above ${percent(gate.lower_bound)}, ${setShare(gate.bound)} is asked`
  );
}

/** How fast, in words. */
export function pace(one: Operation): string {
  if (one.state !== "running" || one.present_rate >= one.rate) return rate(one.rate);
  return `${rate(one.present_rate)} now, up to ${rate(one.rate)}`;
}
