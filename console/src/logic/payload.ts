/** A JSON text read without losing a digit: where it is wrong, and what differs from another. */

import type { Change } from "./diff";

/** Deepest nesting that is read; the API takes no deeper ones. */
const DEPTH_MAX = 100;

export class Misread extends Error {
  constructor(
    message: string,
    /** Place in the text, in UTF-16 units. */
    readonly at: number,
  ) {
    super(message);
  }
}

/** Return every value that has no further ones in it: `a.b.0` -> as it stands in the text. */
export function leaves(text: string): Map<string, string> {
  const found = new Map<string, string>();
  const reader = new Reader(text, found);
  reader.value("", 0);
  reader.end();
  return found;
}

/** Return a member of an object as it stands in the text; null: there is none of that name. */
export function member(text: string, name: string): string | null {
  let found: string | null = null;
  const reader = new Reader(text, new Map(), (path, from, to) => {
    if (path === name) found ??= text.slice(from, to);
  });
  reader.value("", 0);
  return found;
}

/** Tell where a text is no JSON, by line and column from 1; null: it is. */
export function wrong(text: string): string | null {
  try {
    leaves(text);
    return null;
  } catch (error) {
    if (!(error instanceof Misread)) throw error;
    const before = text.slice(0, error.at).split("\n");
    return `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}: ${error.message}`;
  }
}

const NONE = "–";

/** What is different in the second text; numbers are compared as they are written. */
export function changes(before: string, after: string): Change[] {
  const [old, fresh] = [leaves(before), leaves(after)];
  return [...new Set([...old.keys(), ...fresh.keys()])]
    .map((path) => ({ path, before: old.get(path) ?? NONE, after: fresh.get(path) ?? NONE }))
    .filter((change) => change.before !== change.after);
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids them in strings
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const WORD = /true|false|null/y;
const SPACE = /[ \t\r\n]*/y;

class Reader {
  private at = 0;

  constructor(
    private readonly text: string,
    private readonly found: Map<string, string>,
    private readonly told: (path: string, from: number, to: number) => void = () => undefined,
  ) {}

  value(path: string, depth: number): void {
    if (depth > DEPTH_MAX) throw new Misread(`nested more than ${DEPTH_MAX} deep`, this.at);
    this.take(SPACE);
    const from = this.at;
    const sign = this.text.charAt(from);
    if (sign === "{") this.members(path, depth);
    else if (sign === "[") this.items(path, depth);
    else {
      const token = this.take(sign === '"' ? STRING : /[tfn]/.test(sign) ? WORD : NUMBER);
      if (!token) throw new Misread(sign ? "a value is expected" : "it ends too early", this.at);
      this.found.set(path, token);
    }
    if (depth === 1) this.told(path, from, this.at);
    this.take(SPACE);
  }

  end(): void {
    if (this.at < this.text.length) throw new Misread("the value has ended before", this.at);
  }

  private members(path: string, depth: number): void {
    const names = new Set<string>();
    this.list(path, "}", () => {
      this.take(SPACE);
      const start = this.at;
      const token = this.take(STRING);
      if (!token) throw new Misread('a name in "..." is expected', this.at);
      const name = JSON.parse(token) as string;
      if (names.has(name)) throw new Misread(`${token} stands here twice`, start);
      names.add(name);
      this.take(SPACE);
      this.sign(":");
      this.value(path ? `${path}.${name}` : name, depth + 1);
    });
  }

  private items(path: string, depth: number): void {
    let index = 0;
    this.list(path, "]", () => {
      this.value(path ? `${path}.${index}` : `${index}`, depth + 1);
      index += 1;
    });
  }

  /** What stands between brackets, with commas between. */
  private list(path: string, close: string, item: () => void): void {
    const open = this.text.charAt(this.at);
    this.at += 1;
    this.take(SPACE);
    if (this.text.charAt(this.at) === close) this.found.set(path, open + close);
    else {
      item();
      while (this.text.charAt(this.at) === ",") {
        this.at += 1;
        item();
      }
    }
    this.sign(close);
  }

  private sign(wanted: string): void {
    if (this.text.charAt(this.at) !== wanted) throw new Misread(`${wanted} is expected`, this.at);
    this.at += 1;
  }

  private take(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0] ?? "";
    this.at += found.length;
    return found;
  }
}
