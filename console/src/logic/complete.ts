/** What may stand at the caret of a query: qualifiers, and words that are known. */

import { quoted, terms } from "./query";

export interface Suggestion {
  /** As it will stand. */
  text: string;
  says: string;
  /** What it replaces. */
  start: number;
  end: number;
  /** A whole word: the query can be asked. A qualifier still wants one. */
  whole: boolean;
}

/** Qualifier -> words that are known now, such as names of recipients. */
export type Known = Record<string, readonly string[]>;

const MOST = 12;

export const QUALIFIERS: Record<string, string> = {
  status: "where it stands",
  recipient: "to whom",
  flow: "of which flow",
  class: "class of the last failure",
  http: "status of the last answer, such as 503 or 400..499",
  age: "time since it was accepted, such as <1h or 1d..2d",
  code: "why it ended",
  gate: "what it waits for",
  attempts: "number of tries, such as >3",
  priority: "0 to 9, such as >=7",
  value: "worth of the message, such as >=100",
  step: "step of the flow",
  message: "deliveries of that message",
  id: "that delivery",
  account: "of which account",
};

const CLASSES =
  "timeout connect dns tls rate_limit server auth data business protocol configuration physical cancelled";

/** Words that do not depend on the installation; of numbers and ages the usual ones. */
export const FIXED: Known = {
  status: ["pending", "delivered", "dead", "discarded"],
  class: CLASSES.split(" "),
  http: [">=500", "400..499", "429", "503"],
  age: ["<15m", "<1h", "<1d", "<7d", ">1h", ">1d"],
  attempts: [">1", ">3", ">10"],
  priority: [">=7", "<=3"],
  value: [">=100", ">=1000"],
};

/** Return what may stand at the caret, the likeliest first; nothing inside a quotation. */
export function complete(text: string, caret: number, known: Known): Suggestion[] {
  const all = terms(text);
  const term = all.find((one) => one.start < caret && caret <= one.end);
  if (term === undefined) return qualifiers(all, "", "", caret, caret);
  const word = term.words.find((one) => one.start <= caret && caret <= one.end);
  if (term.qualifier === null) {
    const sign = term.negated ? "-" : "";
    const typed = text.slice(term.start + sign.length, caret);
    return typed.startsWith('"') ? [] : qualifiers(all, typed, sign, term.start, term.end);
  }
  if (word === undefined) return [];
  const typed = text.slice(word.start, caret).replace(/^"/, "").toLowerCase();
  const given = new Set(term.words.filter((one) => one !== word).map((one) => one.text));
  return (known[term.qualifier] ?? FIXED[term.qualifier] ?? [])
    .filter((one) => one.toLowerCase().includes(typed) && !given.has(one))
    .sort((a, b) => Number(b.startsWith(typed)) - Number(a.startsWith(typed)))
    .slice(0, MOST)
    .map((one) => ({
      text: quoted(one),
      says: "",
      start: word.start,
      end: word.end,
      whole: true,
    }));
}

/** Each qualifier is said once, so those that stand already are left out. */
function qualifiers(
  all: ReturnType<typeof terms>,
  typed: string,
  sign: string,
  start: number,
  end: number,
): Suggestion[] {
  const said = new Set(
    all.filter((one) => one.negated === (sign !== "")).map((one) => one.qualifier),
  );
  return Object.entries(QUALIFIERS)
    .filter(([name]) => name.startsWith(typed.toLowerCase()) && !said.has(name))
    .slice(0, MOST)
    .map(([name, says]) => ({ text: `${sign}${name}:`, says, start, end, whole: false }));
}

export interface Edited {
  text: string;
  caret: number;
}

/** Put a suggestion into the text. */
export function accept(text: string, chosen: Suggestion): Edited {
  const before = text.slice(0, chosen.start) + chosen.text;
  const after = text.slice(chosen.end);
  const gap = chosen.whole && after === "" ? " " : "";
  return { text: before + gap + after, caret: before.length + gap.length };
}
