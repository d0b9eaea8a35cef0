/** Whether pages refresh themselves. A stream can later replace the polling behind `useLive`. */

import { createContext, type ReactNode, use, useMemo, useState } from "react";

interface Live {
  on: boolean;
  setOn: (on: boolean) => void;
}

const Context = createContext<Live>({ on: true, setOn: () => undefined });

export function LiveProvider({ children }: { children: ReactNode }) {
  const [on, setOn] = useState(true);
  const value = useMemo(() => ({ on, setOn }), [on]);
  return <Context value={value}>{children}</Context>;
}

export function useLiveControl(): Live {
  return use(Context);
}

/** The interval for a query in ms, or false while the person has stopped the refresh. */
export function useLive(everyMs: number): number | false {
  return use(Context).on ? everyMs : false;
}
