/** Versions of the configuration: what the pages ask of them, and what another person answers. */

import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useLive } from "../app/live";
import { client, unwrap } from "./client";
import { useMay, useMe } from "./me";
import { SLOW_MS } from "./queries";

const PAGE = 10;

/** Whether it may look: versions are about all accounts. */
export function useMaySeeVersions(): boolean {
  const may = useMay("audit");
  return (useMe()?.account ?? null) === null && may;
}

export function useVersions() {
  const every = useLive(SLOW_MS);
  return useInfiniteQuery({
    enabled: useMaySeeVersions(),
    queryKey: ["configurations", "list"],
    queryFn: ({ pageParam }) => {
      const query = { limit: PAGE, ...(pageParam && { cursor: pageParam }) };
      return unwrap(client.GET("/v1/configurations", { params: { query } }));
    },
    initialPageParam: 0,
    getNextPageParam: (last) => (last.next_cursor ? Number(last.next_cursor) : undefined),
    placeholderData: keepPreviousData,
    refetchInterval: (query) => ((query.state.data?.pages.length ?? 1) > 1 ? false : every),
  });
}

export function useConfiguration(number: number) {
  return useQuery({
    queryKey: ["configurations", number],
    queryFn: () =>
      unwrap(
        client.GET("/v1/configurations/{number}", { params: { path: { number: String(number) } } }),
      ),
  });
}

const of = (number: number) => ({ params: { path: { number: String(number) } } });

export const answer = {
  approve: (number: number, reason: string, effective_at?: string) =>
    unwrap(
      client.POST("/v1/configurations/{number}/approve", {
        ...of(number),
        body: { reason, ...(effective_at && { effective_at }) },
      }),
    ),
  reject: (number: number, reason: string) =>
    unwrap(client.POST("/v1/configurations/{number}/reject", { ...of(number), body: { reason } })),
};
