/** How pages stay fresh: by the stream where there is one, by asking where there is none. */

import { useDocumentVisibility } from "@mantine/hooks";
import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, use, useEffect, useMemo, useState } from "react";
import { useConnection } from "../api/connection";
import { follow } from "../api/stream";
import { Batch } from "../logic/batch";
import { begins, type Key, touched } from "../logic/touched";

interface Live {
  on: boolean;
  setOn: (on: boolean) => void;
  /** Words of the stream come, so that little needs to be asked. */
  streaming: boolean;
}

const FAST_MS = 2_000;
const SLOW_MS = 5_000;
/** While words come: what moves with time alone, and what no word tells. */
const BACKSTOP_MS = 15_000;
const KEYS_MAX = 500;

const Context = createContext<Live>({ on: true, setOn: () => undefined, streaming: false });

export function LiveProvider({ children }: { children: ReactNode }) {
  const [on, setOn] = useState(true);
  const streaming = useStream(on);
  const value = useMemo(() => ({ on, setOn, streaming }), [on, streaming]);
  return <Context value={value}>{children}</Context>;
}

export function useLiveControl(): Live {
  return use(Context);
}

/** The interval for a query in ms, or false while the person has stopped the refresh. */
export function useLive(everyMs: number): number | false {
  const { on, streaming } = use(Context);
  if (!on) return false;
  return streaming ? Math.max(everyMs, BACKSTOP_MS) : everyMs;
}

/** Follow the stream while somebody looks; a hidden tab holds no connection and asks nothing. */
function useStream(on: boolean): boolean {
  const queries = useQueryClient();
  const visible = useDocumentVisibility() === "visible";
  const locked = useConnection().state === "locked";
  const [streaming, setStreaming] = useState(false);
  const wanted = on && visible && !locked;
  useEffect(() => {
    if (!wanted) return;
    const stop = new AbortController();
    const fast = new Batch<Key>(FAST_MS, KEYS_MAX, (keys, full) => renew(queries, keys, full));
    const slow = new Batch<Key>(SLOW_MS, KEYS_MAX, (keys, full) => renew(queries, keys, full));
    void follow(stop.signal, {
      flowing: setStreaming,
      hear: (said) => {
        const old = touched(said);
        fast.add(old.fast);
        slow.add(old.slow);
      },
    });
    return () => {
      stop.abort();
      fast.close();
      slow.close();
      setStreaming(false);
    };
  }, [wanted, queries]);
  return streaming;
}

/** Ask anew what is on screen and begins with one of the keys, but for what must stand still. */
function renew(queries: QueryClient, keys: Key[], everything: boolean): void {
  void queries.invalidateQueries({
    predicate: ({ queryKey, meta, state }) => {
      const pages = (state.data as { pages?: unknown[] } | undefined)?.pages;
      const still = meta?.still === true || (pages?.length ?? 0) > 1;
      return !still && (everything || keys.some((key) => begins(queryKey, key)));
    },
  });
}
