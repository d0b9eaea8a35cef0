/** What a word of the stream makes old: beginnings of the keys of queries. */

import type { Said } from "./sse";

export type Key = readonly string[];

export interface Touched {
  /** What stands still on screen and moves in place: soon. */
  fast: Key[];
  /** Lists, whose rows move: not so often. */
  slow: Key[];
}

const NOTHING: Touched = { fast: [], slow: [] };
const EVERYTHING: Touched = { fast: [[]], slow: [] };
const LISTS: Key[] = [
  ["deliveries", "list"],
  ["deliveries", "count"],
  ["deliveries", "critical"],
  ["messages"],
  ["groups"],
  ["review"],
];

interface Changed {
  changed?: { id?: string; outcome?: string | null }[];
  more?: boolean;
}

export function touched({ event, data }: Said): Touched {
  switch (event) {
    case "hello": // whatever happened before it was not told
    case "reset":
      return EVERYTHING;
    case "lanes":
      return { fast: [["recipients"], ["overview"], ["workers"]], slow: [] };
    case "events":
      return { fast: [["overview"]], slow: [["events", "newest"]] };
    case "deliveries":
      return deliveries(JSON.parse(data));
    case "operations":
      return { fast: [["operations"]], slow: [["audit"]] };
    case "groups":
      return { fast: [["groups"]], slow: [["audit"]] };
    default:
      return NOTHING;
  }
}

function deliveries({ changed = [], more = false }: Changed): Touched {
  const people = changed.some((one) => one.outcome === null || one.outcome === undefined);
  return {
    fast: more ? [["deliveries"]] : changed.map((one) => ["deliveries", one.id ?? ""]),
    slow: [...LISTS, ...(people ? [["audit"]] : [])],
  };
}

export function begins(key: readonly unknown[], beginning: Key): boolean {
  return beginning.every((part, index) => key[index] === part);
}
