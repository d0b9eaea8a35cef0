/** Bulk work: what the pages ask of it, and what a person does to it. */

import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useLive } from "../app/live";
import { client, unwrap } from "./client";
import { FAST_MS, PAGE } from "./queries";
import type { Operation, Order, Page, Result } from "./types";

/** The API gives at most so many results at once. */
const RESULTS = 1000;

/** Those that run, however old they are. */
export function useRunning() {
  return useQuery({
    queryKey: ["operations", "running"],
    queryFn: async () =>
      (await unwrap(client.GET("/v1/operations", { params: { query: { active: true } } }))).items,
    refetchInterval: useLive(FAST_MS),
  });
}

export function useOperations() {
  const every = useLive(FAST_MS);
  return useInfiniteQuery({
    queryKey: ["operations", "list"],
    queryFn: ({ pageParam }): Promise<Page<Operation>> => {
      const query = { limit: PAGE, ...(pageParam && { cursor: pageParam }) };
      return unwrap(client.GET("/v1/operations", { params: { query } }));
    },
    initialPageParam: "",
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    refetchInterval: (query) => ((query.state.data?.pages.length ?? 1) > 1 ? false : every),
  });
}

export function useOperation(id: string) {
  return useQuery({
    queryKey: ["operations", id],
    queryFn: () =>
      unwrap(
        client.GET("/v1/operations/{operation_id}", { params: { path: { operation_id: id } } }),
      ),
    refetchInterval: useLive(FAST_MS),
  });
}

function results(id: string, cursor: string, limit: number, outcome = ""): Promise<Page<Result>> {
  const query = { limit, ...(cursor && { cursor }), ...(outcome && { outcome }) };
  return unwrap(
    client.GET("/v1/operations/{operation_id}/results", {
      params: { path: { operation_id: id }, query },
    }),
  );
}

/** What became of its deliveries; `outcome`: only these, apart by commas. */
export function useResults(id: string, outcome: string) {
  const every = useLive(FAST_MS);
  return useInfiniteQuery({
    queryKey: ["operations", id, "results", outcome],
    queryFn: ({ pageParam }) => results(id, pageParam, PAGE, outcome),
    placeholderData: keepPreviousData,
    initialPageParam: "",
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    refetchInterval: (query) => ((query.state.data?.pages.length ?? 1) > 1 ? false : every),
  });
}

/** Every result, one JSON object a line; `told` hears how many there are so far. */
export async function exported(id: string, told: (number: number) => void): Promise<Blob> {
  const pieces: string[] = [];
  let cursor: string | null | undefined = "";
  let number = 0;
  while (cursor !== null && cursor !== undefined) {
    const page: Page<Result> = await results(id, cursor, RESULTS);
    pieces.push(...page.items.map((one) => `${JSON.stringify(one)}\n`));
    number += page.items.length;
    told(number);
    cursor = page.next_cursor;
  }
  return new Blob(pieces, { type: "application/x-ndjson" });
}

/** What an order would act on. It is asked while somebody fills in the form, so it has no reason. */
export function usePreview(order: Omit<Order, "reason"> | null) {
  return useQuery({
    queryKey: ["preview", order],
    enabled: order !== null,
    // What is counted when the form opens is what it is about; a later look would be another one.
    meta: { still: true },
    staleTime: Number.POSITIVE_INFINITY,
    // A form that is opened again is about what is there then.
    gcTime: 0,
    queryFn: ({ signal }) =>
      unwrap(
        client.POST("/v1/operations/preview", {
          body: { ...(order ?? { kind: "redrive" }), reason: "preview" },
          signal,
        }),
      ),
  });
}

export function start(order: Order): Promise<Operation> {
  return unwrap(client.POST("/v1/operations", { body: order }));
}

/** An operation as it was seen. */
export type SeenOperation = Pick<Operation, "id" | "tag">;

function seen({ id, tag }: SeenOperation, reason: string) {
  return {
    params: { path: { operation_id: id } },
    headers: { "If-Match": `"${tag}"` },
    body: { reason },
  };
}

export const steer = {
  pause: (one: SeenOperation, reason: string) =>
    unwrap(client.POST("/v1/operations/{operation_id}/pause", seen(one, reason))),
  resume: (one: SeenOperation, reason: string) =>
    unwrap(client.POST("/v1/operations/{operation_id}/resume", seen(one, reason))),
  cancel: (one: SeenOperation, reason: string) =>
    unwrap(client.POST("/v1/operations/{operation_id}/cancel", seen(one, reason))),
  undo: (one: SeenOperation, reason: string) =>
    unwrap(client.POST("/v1/operations/{operation_id}/undo", seen(one, reason))),
};
