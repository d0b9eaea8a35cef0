/** Failure groups: what the pages ask of them, and what a person makes of one. */

import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useLive } from "../app/live";
import { client, unwrap } from "./client";
import { FAST_MS, SLOW_MS } from "./queries";
import type { operations } from "./schema";
import type { Cause, Group, Nature } from "./types";

type Asked = NonNullable<operations["list_groups"]["parameters"]["query"]>;
export type GroupsFilter = Pick<Asked, "by" | "sort" | "window" | "status" | "q">;

export function useGroups(filter: GroupsFilter) {
  const every = useLive(SLOW_MS);
  return useInfiniteQuery({
    queryKey: ["groups", "list", filter],
    queryFn: ({ pageParam }) => {
      const query = { ...filter, ...(pageParam && { cursor: pageParam }) };
      return unwrap(client.GET("/v1/groups", { params: { query } }));
    },
    initialPageParam: 0,
    getNextPageParam: (last) => (last.next_cursor ? Number(last.next_cursor) : undefined),
    placeholderData: keepPreviousData,
    refetchInterval: (query) => ((query.state.data?.pages.length ?? 1) > 1 ? false : every),
  });
}

export function useGroup(id: string, window: GroupsFilter["window"]) {
  return useQuery({
    queryKey: ["groups", id, window],
    queryFn: () =>
      unwrap(
        client.GET("/v1/groups/{group_id}", {
          params: { path: { group_id: id }, query: { window } },
        }),
      ),
    placeholderData: keepPreviousData,
    refetchInterval: useLive(FAST_MS),
  });
}

/** Groups that are new or came back within a day, the newest first. */
export function useAlerts(limit: number) {
  return useQuery({
    queryKey: ["groups", "alerts", limit],
    queryFn: () => unwrap(client.GET("/v1/groups/alerts", { params: { query: { limit } } })),
    refetchInterval: useLive(SLOW_MS),
  });
}

/** Urgent deliveries that fail, from the priority on that the configuration names. */
export function useCritical(limit: number) {
  return useQuery({
    queryKey: ["deliveries", "critical", limit],
    queryFn: () => unwrap(client.GET("/v1/deliveries/critical", { params: { query: { limit } } })),
    refetchInterval: useLive(SLOW_MS),
  });
}

/** A group as it was seen. */
export type SeenGroup = Pick<Group, "id" | "revision">;

function seen({ id, revision }: SeenGroup) {
  return { params: { path: { group_id: id } }, headers: { "If-Match": `"${revision}"` } };
}

export interface Ignored {
  until?: string;
  failures?: number;
}

export const make = {
  assign: (one: SeenGroup, reason: string, owner: string | null) =>
    unwrap(client.POST("/v1/groups/{group_id}/assign", { ...seen(one), body: { reason, owner } })),
  resolve: (one: SeenGroup, reason: string) =>
    unwrap(client.POST("/v1/groups/{group_id}/resolve", { ...seen(one), body: { reason } })),
  ignore: (one: SeenGroup, reason: string, end: Ignored) =>
    unwrap(client.POST("/v1/groups/{group_id}/ignore", { ...seen(one), body: { reason, ...end } })),
  judge: (one: SeenGroup, reason: string, nature: Nature | null) =>
    unwrap(client.POST("/v1/groups/{group_id}/judge", { ...seen(one), body: { reason, nature } })),
  attribute: (one: SeenGroup, reason: string, cause: Cause | null) =>
    unwrap(
      client.POST("/v1/groups/{group_id}/attribute", { ...seen(one), body: { reason, cause } }),
    ),
  reopen: (one: SeenGroup, reason: string) =>
    unwrap(client.POST("/v1/groups/{group_id}/reopen", { ...seen(one), body: { reason } })),
};
