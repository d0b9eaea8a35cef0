/** Holds a selection over the rows of a list and listens to the keys of lists. */

import { useEffect, useState } from "react";
import { useKeys } from "../app/keys";
import { mark, markAll, move, NOTHING, type Selection, withRows } from "../logic/selection";

export interface Selecting {
  state: Selection;
  toggle: (index: number, range: boolean) => void;
  all: (on: boolean) => void;
  clear: () => void;
}

export function useSelection(ids: string[], open: (id: string) => void): Selecting {
  const [held, change] = useState(NOTHING);
  const state = withRows(held, ids);
  const update = (make: (before: Selection) => Selection) =>
    change((before) => make(withRows(before, ids)));
  const under = state.ids[state.cursor];
  useKeys({
    j: () => update((before) => move(before, 1)),
    k: () => update((before) => move(before, -1)),
    x: () => update((before) => mark(before, before.cursor, false)),
    X: () => update((before) => mark(before, before.cursor, true)),
    Escape: () => update((before) => markAll(before, false)),
    ...(under && { Enter: () => open(under) }),
  });
  useEffect(() => {
    if (under) document.getElementById(`row-${under}`)?.scrollIntoView({ block: "nearest" });
  }, [under]);
  return {
    state,
    toggle: (index, range) => update((before) => mark(before, index, range)),
    all: (on) => update((before) => markAll(before, on)),
    clear: () => change(NOTHING),
  };
}
