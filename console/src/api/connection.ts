/** How the API answers: fed by the client, shown by the shell. Numbers on screen never pretend. */

import { useSyncExternalStore } from "react";

export interface Connection {
  /** `new` before the first answer, `locked` when a token is wanted. */
  state: "new" | "ok" | "failing" | "locked";
  /** Local time of the last good answer, ms since the epoch. */
  lastOk: number;
  /** What went wrong, for people. */
  detail: string | null;
}

let current: Connection = { state: "new", lastOk: 0, detail: null };
const listeners = new Set<() => void>();

function change(next: Connection): void {
  current = next;
  for (const listener of listeners) listener();
}

export const connection = {
  get: (): Connection => current,
  subscribe(listener: () => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  answered(): void {
    change({ state: "ok", lastOk: Date.now(), detail: null });
  },
  failed(detail: string): void {
    if (current.state !== "locked") change({ ...current, state: "failing", detail });
  },
  locked(detail: string): void {
    change({ ...current, state: "locked", detail });
  },
};

export function useConnection(): Connection {
  return useSyncExternalStore(connection.subscribe, connection.get);
}
