/** State that belongs into the address, so that a link shows what its sender saw. */

import { useSearchParams } from "wouter";

export interface Params {
  get: (name: string) => string;
  /** Set some and drop those that are empty; the history keeps one entry per page. */
  set: (values: Record<string, string>) => void;
  clear: () => void;
}

export function useParamState(): Params {
  const [params, setParams] = useSearchParams();
  return {
    get: (name) => params.get(name) ?? "",
    set: (values) =>
      setParams(
        (before) => {
          const next = new URLSearchParams(before);
          for (const [name, value] of Object.entries(values)) {
            if (value) next.set(name, value);
            else next.delete(name);
          }
          return next;
        },
        { replace: true },
      ),
    clear: () => setParams({}, { replace: true }),
  };
}
