/** Failure groups in words: how they are laid out, and how one stands. */

import type { Cause, Group, GroupLine, Nature } from "../api/types";
import { count, plural } from "./numbers";
import { query } from "./query";

type Choice = readonly [value: string, word: string];

/** What makes deliveries one line. */
export const BY: readonly Choice[] = [
  ["fingerprint", "Error"],
  ["error", "Error anywhere"],
  ["cause", "Cause"],
  ["class", "Class"],
  ["recipient", "Recipient"],
  ["step", "Step"],
];

export const SORTS: readonly Choice[] = [
  ["seen", "Seen last"],
  ["count", "Most deliveries"],
  ["value", "Most value at risk"],
];

/** What is open is what the API lists when nothing else is asked. */
export const STANDS: readonly Choice[] = [
  ["", "Open"],
  ["regressed", "Came back"],
  ["ignored", "Ignored"],
  ["resolved", "Resolved"],
];

export const WINDOWS: readonly Choice[] = [
  ["3h", "3 hours"],
  ["24h", "Day"],
  ["7d", "Week"],
  ["30d", "30 days"],
];

interface Look {
  tone: "bad" | "warn" | "ok" | "quiet";
  shape: "cross" | "half" | "full" | "dash";
  text: string;
}

export const GROUP_LOOKS: Record<GroupLine["status"], Look> = {
  open: { tone: "warn", shape: "half", text: "open" },
  regressed: { tone: "bad", shape: "cross", text: "came back" },
  ignored: { tone: "quiet", shape: "dash", text: "ignored" },
  resolved: { tone: "ok", shape: "full", text: "resolved" },
};

/** What a line is called: what went wrong, or what its groups have in common. */
export function named(line: GroupLine, by: string): string {
  if (by === "cause") return line.cause ? CAUSES[line.cause] : line.key;
  if (by === "recipient") return line.recipient ?? line.key;
  if (by === "step") return [line.flow, line.step].filter(Boolean).join(", ") || line.key;
  if (by === "class") return [line.failure_class, line.code].filter(Boolean).join(" ") || line.key;
  return line.template || line.code || line.failure_class || "nothing was tried";
}

/** What a title need not say again: class and code, and what a person judged it to be. */
export function tags(line: GroupLine, by: string): string[] {
  const word = line.nature && `judged ${line.nature}`;
  const cause = by === "fingerprint" || by === "error" ? [line.failure_class, line.code] : [];
  return [...cause, word].filter((one): one is string => Boolean(one));
}

/** Where it happens, in few words. */
export function where(line: GroupLine): string {
  return line.recipient ?? plural(line.recipient_count, "recipient");
}

/** What became of the deliveries that failed so and ended meanwhile; null: none has. */
export function recovered(line: Pick<GroupLine, "recovered" | "lost">): string | null {
  const ended = line.recovered + line.lost;
  return ended === 0 ? null : `${count(line.recovered)} of ${count(ended)}`;
}

/** What that says of such failures, in as many words as a place needs. */
export function presumed(line: Pick<GroupLine, "presumed">): string | null {
  return line.presumed && `looks ${line.presumed}`;
}

/** What a person judged a group's failures to be. */
export const NATURES: Record<Nature, string> = {
  temporary: "Temporary",
  permanent: "Permanent",
};

/** Who says that failures pass or do not, over the rules. */
export function judged(by: { nature: Nature; actor: string | null }): string {
  return `${by.nature} by the word of ${by.actor ?? "somebody"}`;
}

/** What may lie behind failures. */
export const CAUSES: Record<Cause, string> = {
  connection: "Connection",
  auth: "Credentials",
  data: "Data",
  system: "System",
  business: "Business",
  performance: "Performance",
  physical: "Physical",
  security: "Security",
  configuration: "Configuration",
};

/** What lies behind a group, and who says so. */
export function caused({ cause, caused_by }: Pick<Group, "cause" | "caused_by">): string {
  const by = caused_by ? `by the word of ${caused_by}` : "as its class suggests";
  return `cause: ${CAUSES[cause].toLowerCase()}, ${by}`;
}

/** Whether what people did about a group lasted; nothing where nobody has resolved it. */
export function held({ resolutions, regressions }: Pick<Group, "resolutions" | "regressions">) {
  if (resolutions === 0) return null;
  const back = regressions === 0 ? "never came back" : `came back ${plural(regressions, "time")}`;
  return `resolved ${plural(resolutions, "time")}, ${back}`;
}

/** A number that may be more. */
export function least(number: number, more: boolean): string {
  return more ? `${count(number)}+` : count(number);
}

/** The search that finds what a group holds in a state. */
export function ofGroup(id: string, status: string): string {
  return query({ status, group: id });
}
