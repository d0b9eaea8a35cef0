/** Who is signed in, as the API says; pages hide what it may not do, the server refuses anyway. */

import { useSyncExternalStore } from "react";
import type { Permission, Session } from "./types";

let current: Session | null = null;
const listeners = new Set<() => void>();

export const me = {
  get: (): Session | null => current,
  set(next: Session | null): void {
    current = next;
    for (const listener of listeners) listener();
  },
  subscribe(listener: () => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};

export function useMe(): Session | null {
  return useSyncExternalStore(me.subscribe, me.get);
}

/** Whether it may; as long as nobody has said who it is, yes: the server has the last word. */
export function useMay(permission: Permission): boolean {
  const known = useMe();
  return known === null || known.permissions.includes(permission);
}
