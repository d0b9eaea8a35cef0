/** The language of searches, as far as a field needs it: where terms lie, how one is changed. */

export interface Word {
  /** Places in the text, in UTF-16 units: `text.slice(start, end)` is the word as it stands. */
  start: number;
  end: number;
  /** Without its quotation marks. */
  text: string;
}

export interface Term {
  start: number;
  end: number;
  /** What stands before the colon; null: text. */
  qualifier: string | null;
  negated: boolean;
  words: Word[];
}

const SPACE = /\s/;

/** Return the terms of a query. The server judges; here an unfinished one is no error. */
export function terms(query: string): Term[] {
  const found: Term[] = [];
  let at = 0;
  while (at < query.length) {
    if (SPACE.test(query.charAt(at))) at += 1;
    else {
      const term = termAt(query, at);
      found.push(term);
      at = term.end;
    }
  }
  return found;
}

function termAt(query: string, start: number): Term {
  const negated = query.charAt(start) === "-";
  const from = start + (negated ? 1 : 0);
  const head = /^[^\s:",]+:/.exec(query.slice(from))?.[0] ?? "";
  const words: Word[] = [];
  let at = from + head.length;
  do {
    if (words.length > 0) at += 1;
    const word = wordAt(query, at);
    words.push(word);
    at = word.end;
  } while (query.charAt(at) === ",");
  // What follows a closing quotation mark without a space is wrong; it belongs to the term.
  while (at < query.length && !SPACE.test(query.charAt(at))) at += 1;
  return { start, end: at, qualifier: head ? head.slice(0, -1) : null, negated, words };
}

function wordAt(query: string, start: number): Word {
  if (query.charAt(start) !== '"') {
    const text = /^[^\s,"]*/.exec(query.slice(start))?.[0] ?? "";
    return { start, end: start + text.length, text };
  }
  let text = "";
  let at = start + 1;
  while (at < query.length && query.charAt(at) !== '"') {
    if (query.charAt(at) === "\\") at += 1;
    text += query.charAt(at);
    at += 1;
  }
  return { start, end: Math.min(query.length, at + 1), text };
}

/** Return a word as it stands in a query. */
export function quoted(word: string): string {
  return /^[^\s,"]+$/.test(word) ? word : `"${word.replace(/["\\]/g, "\\$&")}"`;
}

/** Return the query that means all of these: `{ status: "dead" }` -> `status:dead`. */
export function query(parts: Record<string, string>): string {
  return Object.entries(parts)
    .map(([qualifier, word]) => `${qualifier}:${quoted(word)}`)
    .join(" ");
}

/** The only word that a qualifier has; "" when it has none, several, or is negated as well. */
export function only(text: string, qualifier: string): string {
  const own = terms(text).filter((term) => term.qualifier === qualifier);
  const [term] = own;
  return term && own.length === 1 && !term.negated && term.words.length === 1
    ? (term.words[0]?.text ?? "")
    : "";
}

/** Return the query with this word for a qualifier in place of what it said; "" says nothing. */
export function withWord(text: string, qualifier: string, word: string): string {
  const kept = terms(text)
    .filter((term) => term.qualifier !== qualifier)
    .map((term) => text.slice(term.start, term.end));
  return [...(word ? [query({ [qualifier]: word })] : []), ...kept].join(" ");
}

/** Return the place in UTF-16 units of a position in characters from 1, as the server counts. */
export function placeOf(text: string, position: number): number {
  return [...text].slice(0, position - 1).join("").length;
}

/** Return the end of the word or mark that begins at a place, for showing what is wrong. */
export function endOf(text: string, start: number): number {
  const found = /^(?:"(?:\\.|[^"\\])*"?|[^\s,]+|\s)/.exec(text.slice(start));
  return start + (found?.[0].length ?? 0);
}
