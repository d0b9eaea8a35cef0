/** Policy fields: what they mean, and how somebody sets them for one delivery only. */

import type { Delivery, PolicySettings, StepPolicy } from "../api/types";
import { seconds } from "./numbers";

export const SECONDS = new Set([
  "initial_delay",
  "max_interval",
  "total_timeout",
  "increment",
  "max_hint",
  "max_age",
]);

/** What the fields mean, in the words of docs/reference/policy.md. */
export const MEANINGS: Record<string, string> = {
  strategy: "How the next delay is found",
  max_retries: "Retries after the original send",
  initial_delay: "Before the first retry",
  multiplier: "Growth of exponential delays",
  max_interval: "The longest delay",
  total_timeout: "Time after which no retry starts",
  timeout_clock: "What total_timeout counts",
  increment: "Added per retry by linear",
  jitter: "How delays are randomised",
  jitter_ratio: "Half width of percent jitter",
  phases: "The parts of hybrid",
  retry_on: "Retried besides the table",
  never_retry: "Never retried; beats retry_on",
  rules: "Classification rules, in order",
  response: "How an answer is read",
  max_hint: "The longest Retry-After that is obeyed",
  max_age: "Wall time after which it expires",
  exhausted_while_down: "When retries end while the lane is down",
  cost_stop: "When going on is not worth its cost",
};

type Name = keyof PolicySettings & string;

interface Field {
  name: Name;
  /** `count` is a whole number, `list` words apart by commas. */
  kind: "count" | "number" | "choice" | "list" | "text";
  choices?: readonly string[];
}

const STRATEGIES: readonly NonNullable<PolicySettings["strategy"]>[] = [
  "immediate",
  "fixed",
  "linear",
  "exponential",
  "jitter",
  "circuit_breaker",
  "hybrid",
  "adaptive",
];
const JITTERS: readonly NonNullable<PolicySettings["jitter"]>[] = [
  "none",
  "full",
  "equal",
  "decorrelated",
  "percent",
];

/** What has a field of its own, in the order in which it is looked for. */
export const OWN: readonly Field[] = [
  { name: "strategy", kind: "choice", choices: STRATEGIES },
  { name: "initial_delay", kind: "number" },
  { name: "multiplier", kind: "number" },
  { name: "max_interval", kind: "number" },
  { name: "increment", kind: "number" },
  { name: "jitter", kind: "choice", choices: JITTERS },
  { name: "jitter_ratio", kind: "number" },
  { name: "total_timeout", kind: "number" },
  { name: "timeout_clock", kind: "choice", choices: ["active", "wall"] },
  { name: "max_age", kind: "number" },
  { name: "max_hint", kind: "number" },
  { name: "retry_on", kind: "list" },
  { name: "never_retry", kind: "list" },
  { name: "exhausted_while_down", kind: "choice", choices: ["hold", "dead"] },
  { name: "template", kind: "text" },
];
export const RETRIES: Field = { name: "max_retries", kind: "count" };
/** What has a shape of its own, and is given as JSON. */
export const SHAPED: readonly Name[] = ["phases", "rules", "response", "cost_stop"];
/** Name of the value that holds these. */
export const MORE = "policy.more";

const WORD = /^([1-5](\d\d|xx)|[a-z][a-z_]*)$/;

/** What was filled in, by the names of the fields with `policy.` before them. */
export type Filled = Record<string, string>;

export function filled(values: Filled, { name }: Field): string {
  return values[`policy.${name}`] ?? "";
}

function words(text: string): string[] {
  return text
    .split(",")
    .map((one) => one.trim())
    .filter(Boolean);
}

/** What is wrong with a value as far as can be told here; the API knows the ranges. */
export function wrongField({ kind, name }: Field, text: string): string | null {
  if (!text.trim()) return null;
  const number = Number(text);
  if (kind === "count" && !(Number.isInteger(number) && number >= 0)) return "a whole number";
  if (kind === "number" && !(Number.isFinite(number) && number >= 0)) return "a number from 0 on";
  if (name === "jitter_ratio" && number > 1) return "a number from 0 to 1";
  const odd = kind === "list" ? words(text).find((word) => !WORD.test(word)) : undefined;
  return odd ? `${odd}: statuses (418, 5xx) and failure classes, apart by commas` : null;
}

/** What is wrong with the JSON of what has a shape of its own. */
export function wrongMore(text: string): string | null {
  if (!text.trim()) return null;
  const allowed = `an object of ${SHAPED.join(", ")}`;
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch (error) {
    return `no JSON: ${error instanceof Error ? error.message : error}`;
  }
  if (typeof found !== "object" || found === null || Array.isArray(found)) return allowed;
  const odd = Object.keys(found).find((name) => !SHAPED.includes(name as Name));
  return odd === undefined ? null : `${odd}: ${allowed}`;
}

function read({ kind }: Field, text: string): unknown {
  if (kind === "count" || kind === "number") return Number(text);
  return kind === "list" ? words(text) : text.trim();
}

/** The settings that were filled in, undefined: none. Throws an Error that names what is wrong. */
export function settingsOf(values: Filled): PolicySettings | undefined {
  const settings: Record<string, unknown> = {};
  for (const field of [RETRIES, ...OWN]) {
    const text = filled(values, field);
    const wrong = wrongField(field, text);
    if (wrong) throw new Error(`${field.name}: ${wrong}`);
    if (text.trim()) settings[field.name] = read(field, text);
  }
  const more = values[MORE] ?? "";
  const wrong = wrongMore(more);
  if (wrong) throw new Error(`More of the policy: ${wrong}`);
  if (more.trim()) Object.assign(settings, JSON.parse(more));
  return Object.keys(settings).length > 0 ? (settings as PolicySettings) : undefined;
}

/** What was chosen for a delivery before; nothing: none of it. */
export function chosen({ policy }: Pick<Delivery, "policy">): PolicySettings {
  return (policy ?? {}) as PolicySettings;
}

/** The policy of a step with what was chosen for one delivery over it. */
export function overridden(
  policy: StepPolicy["policy"] | undefined,
  own: PolicySettings,
): StepPolicy["policy"] | undefined {
  if (policy === undefined) return undefined;
  const from = Object.keys(own).map((name) => [name, "this delivery"]);
  const origin = { ...policy.origin, ...Object.fromEntries(from) };
  return { ...policy, ...own, origin } as StepPolicy["policy"];
}

/** What holds without an override, and from which level: `4, from flow leads`. */
export function present(policy: StepPolicy["policy"] | undefined, name: Name): string | null {
  const from = policy?.origin[name];
  if (policy === undefined || from === undefined) return null;
  const value: unknown = policy[name as keyof typeof policy];
  return `${told(name, value)}, from ${from}`;
}

function told(name: string, value: unknown): string {
  if (typeof value === "number") return SECONDS.has(name) ? seconds(value) : String(value);
  if (value === null || (Array.isArray(value) && value.length === 0)) return "none";
  if (typeof value === "string") return value;
  const list = Array.isArray(value) && value.every((one) => typeof one === "string");
  return list ? value.join(", ") : JSON.stringify(value);
}
