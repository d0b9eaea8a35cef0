/** Keys that work everywhere, and those of lists. Typing into a field is never a command. */

import { useEffect, useRef } from "react";

export type Keys = Record<string, (event: KeyboardEvent) => void>;

const SEQUENCE_MS = 1200;

function typing(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  const kind = target.tagName;
  const box = target instanceof HTMLInputElement && /^(checkbox|radio|button)$/.test(target.type);
  return (!box && /^(INPUT|TEXTAREA|SELECT)$/.test(kind)) || target.isContentEditable;
}

/** Enter belongs to the button or the link that has the focus. */
function taken(event: KeyboardEvent): boolean {
  const held = event.target instanceof Element && event.target.closest("a, button, summary");
  return event.key === "Enter" && Boolean(held);
}

/** Call the handler of a key (`j`, `?`) or of two in a row (`g o`). */
export function useKeys(keys: Keys, enabled = true): void {
  const held = useRef(keys);
  held.current = keys;
  useEffect(() => {
    if (!enabled) return;
    let before = "";
    let at = 0;
    function pressed(event: KeyboardEvent) {
      const open = document.querySelector("[role=dialog]") !== null;
      if (open || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
      if (taken(event)) return;
      const pair = Date.now() - at < SEQUENCE_MS ? `${before} ${event.key}` : "";
      const handler = held.current[pair] ?? held.current[event.key];
      before = event.key;
      at = Date.now();
      if (handler) {
        before = "";
        event.preventDefault();
        handler(event);
      }
    }
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, [enabled]);
}
