/** What a person chose on this machine: zone, name, live. Theme is kept by the component library. */

import { useSyncExternalStore } from "react";

export type Zone = "local" | "utc" | "recipient";

export interface Prefs {
  zone: Zone;
  /** Stands in the audit journal for every action. */
  actor: string;
}

const KEY = "holdfast-prefs";
const DEFAULTS: Prefs = { zone: "local", actor: "console" };

/** Header values are plain ASCII; the API takes at most 100 characters. */
export const ACTOR_PATTERN = /^[!-~](?:[ -~]{0,98}[!-~])?$/;

export function read(text: string | null): Prefs {
  try {
    const found: Partial<Prefs> = JSON.parse(text ?? "{}");
    return {
      zone:
        found.zone === "utc" || found.zone === "recipient" || found.zone === "local"
          ? found.zone
          : DEFAULTS.zone,
      actor: ACTOR_PATTERN.test(found.actor ?? "") ? (found.actor ?? "") : DEFAULTS.actor,
    };
  } catch {
    return DEFAULTS;
  }
}

let current = read(localStorage.getItem(KEY));
const listeners = new Set<() => void>();

export const prefs = {
  get: (): Prefs => current,
  set(part: Partial<Prefs>): void {
    current = { ...current, ...part };
    localStorage.setItem(KEY, JSON.stringify(current));
    for (const listener of listeners) listener();
  },
  subscribe(listener: () => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};

export function usePrefs(): Prefs {
  return useSyncExternalStore(prefs.subscribe, prefs.get);
}
