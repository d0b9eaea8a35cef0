/** Rows chosen in a list: a cursor for the keyboard, marks, ranges. Pure; `useSelection` holds it. */

export interface Selection {
  ids: readonly string[];
  /** Row under the keyboard, -1: none. */
  cursor: number;
  /** Row of the last mark, where a range begins. */
  anchor: number;
  marked: ReadonlySet<string>;
}

export const NOTHING: Selection = { ids: [], cursor: -1, anchor: -1, marked: new Set() };

/** Take new rows: marks of rows that left the list are dropped, the cursor follows its row. */
export function withRows(state: Selection, ids: readonly string[]): Selection {
  if (same(state.ids, ids)) return state;
  const there = new Set(ids);
  const under = state.ids[state.cursor];
  return {
    ids,
    cursor: under === undefined ? -1 : ids.indexOf(under),
    anchor: -1,
    marked: new Set([...state.marked].filter((id) => there.has(id))),
  };
}

export function move(state: Selection, by: number): Selection {
  if (state.ids.length === 0) return state;
  const from = state.cursor < 0 && by < 0 ? state.ids.length : state.cursor;
  return { ...state, cursor: Math.min(state.ids.length - 1, Math.max(0, from + by)) };
}

/** Mark or unmark a row; with `range`, everything between it and the last mark is marked. */
export function mark(state: Selection, index: number, range: boolean): Selection {
  const id = state.ids[index];
  if (id === undefined) return state;
  const marked = new Set(state.marked);
  if (range && state.anchor >= 0) {
    const [low, high] = [Math.min(state.anchor, index), Math.max(state.anchor, index)];
    for (const each of state.ids.slice(low, high + 1)) marked.add(each);
  } else if (!marked.delete(id)) {
    marked.add(id);
  }
  return { ...state, cursor: index, anchor: index, marked };
}

export function markAll(state: Selection, on: boolean): Selection {
  return { ...state, marked: new Set(on ? state.ids : []) };
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((id, index) => id === b[index]);
}
