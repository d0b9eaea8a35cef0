/** The review queue: dead deliveries in the hands of people. */

import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useLive } from "../app/live";
import { member } from "../logic/payload";
import { type SeenDelivery, seenDelivery } from "./actions";
import { client, unwrap } from "./client";
import { PAGE, SLOW_MS } from "./queries";
import type { PolicySettings } from "./types";

export function useReview(assignee: string, q: string, pause = false) {
  const every = useLive(SLOW_MS);
  return useInfiniteQuery({
    queryKey: ["review", assignee, q],
    queryFn: ({ pageParam }) => {
      const query = {
        limit: PAGE,
        ...(assignee && { assignee }),
        ...(q && { q }),
        ...(pageParam && { cursor: pageParam }),
      };
      return unwrap(client.GET("/v1/review", { params: { query } }));
    },
    initialPageParam: "",
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    placeholderData: keepPreviousData,
    meta: { still: pause },
    refetchInterval: (query) =>
      pause || (query.state.data?.pages.length ?? 1) > 1 ? false : every,
  });
}

export function useLineage(id: string) {
  return useQuery({
    queryKey: ["deliveries", id, "lineage"],
    queryFn: () =>
      unwrap(
        client.GET("/v1/deliveries/{delivery_id}/lineage", {
          params: { path: { delivery_id: id } },
        }),
      ),
    refetchInterval: useLive(SLOW_MS),
  });
}

/** A payload as a person may see it: its text, without a digit lost, and the masked places. */
export interface Seen {
  text: string;
  masked: string[];
}

/** Ask to see a payload; it is noted in the audit journal. */
export async function reveal(id: string, reason: string): Promise<Seen> {
  const text = await unwrap(
    client.POST("/v1/deliveries/{delivery_id}/payload", {
      params: { path: { delivery_id: id } },
      body: { reason },
      parseAs: "text",
    }),
  );
  const masked = JSON.parse(member(text, "masked") ?? "[]") as string[];
  return { text: member(text, "payload") ?? "null", masked };
}

export interface Edit {
  /** The whole new payload, as JSON text. */
  payload: string;
  endpoint?: string;
  policy?: PolicySettings;
  /** Also when the old one may have arrived. */
  inDoubt: boolean;
}

/** Send another payload in the place of a dead delivery; numbers go as they are written. */
export function edited(one: SeenDelivery, reason: string, edit: Edit) {
  const { payload, endpoint, policy, inDoubt } = edit;
  const body = {
    reason,
    payload: "",
    ...(endpoint && { endpoint }),
    ...(policy && { policy }),
    ...(inDoubt && { even_if_in_doubt: true }),
  };
  return unwrap(
    client.POST("/v1/deliveries/{delivery_id}/edit", {
      ...seenDelivery(one),
      body,
      bodySerializer: (fields) => {
        const { payload: _, ...rest } = fields as typeof body;
        return `${JSON.stringify(rest).slice(0, -1)},"payload":${payload}}`;
      },
    }),
  );
}

export function assign(one: SeenDelivery, reason: string, assignee: string | null) {
  return unwrap(
    client.POST("/v1/deliveries/{delivery_id}/assign", {
      ...seenDelivery(one),
      body: { reason, assignee },
    }),
  );
}
