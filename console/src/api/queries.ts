/** What the pages ask, one hook each; keys begin with the kind so that actions can refresh it. */

import {
  keepPreviousData,
  useInfiniteQuery,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { useLive } from "../app/live";
import { client, unwrap } from "./client";
import { useMay } from "./me";
import type { Delivery, Note, Page, Recipient, RetryEvent } from "./types";

export const FAST_MS = 2_000;
export const SLOW_MS = 5_000;
export const PAGE = 100;
const MOST = 1000;

export function useOverview() {
  return useQuery({
    queryKey: ["overview"],
    queryFn: () => unwrap(client.GET("/v1/overview")),
    refetchInterval: useLive(FAST_MS),
  });
}

export function useRecipients() {
  return useQuery({
    queryKey: ["recipients"],
    queryFn: async (): Promise<Recipient[]> => (await unwrap(client.GET("/v1/recipients"))).items,
    refetchInterval: useLive(FAST_MS),
  });
}

export function useRecipient(name: string, enabled = true) {
  return useQuery({
    enabled,
    queryKey: ["recipients", name],
    queryFn: () =>
      unwrap(client.GET("/v1/recipients/{recipient}", { params: { path: { recipient: name } } })),
    refetchInterval: useLive(FAST_MS),
  });
}

/** Most pages that are asked for at once to fill one: each looks at a limited number of rows. */
const LOOKS = 5;

/** Without a search nothing is asked for: an empty one is refused. */
const asking = (q: string) => (q ? { q } : {});

/** Go on from a page that is short although there is more, until it is full. */
async function filled(q: string, from: string, signal: AbortSignal): Promise<Page<Delivery>> {
  const items: Delivery[] = [];
  let cursor: string | null | undefined = from;
  for (let look = 0; look < LOOKS && items.length < PAGE; look += 1) {
    const query = { ...asking(q), limit: PAGE - items.length, ...(cursor && { cursor }) };
    const found: Page<Delivery> = await unwrap(
      client.GET("/v1/deliveries", { params: { query }, signal }),
    );
    items.push(...found.items);
    cursor = found.next_cursor;
    if (!cursor) break;
  }
  return { items, next_cursor: cursor };
}

export function useDeliveries(q: string, pause = false) {
  const every = useLive(SLOW_MS);
  return useInfiniteQuery({
    queryKey: ["deliveries", "list", q],
    queryFn: ({ pageParam, signal }) => filled(q, pageParam, signal),
    initialPageParam: "",
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    placeholderData: keepPreviousData,
    meta: { still: pause },
    // Later pages do not move: only a list of one page refreshes itself.
    refetchInterval: (query) =>
      pause || (query.state.data?.pages.length ?? 1) > 1 ? false : every,
  });
}

export function useDeliveryCount(q: string) {
  return useQuery({
    queryKey: ["deliveries", "count", q],
    queryFn: ({ signal }) =>
      unwrap(client.GET("/v1/deliveries/count", { params: { query: asking(q) }, signal })),
    placeholderData: keepPreviousData,
    refetchInterval: useLive(SLOW_MS),
  });
}

export function useDelivery(id: string) {
  return useQuery({
    queryKey: ["deliveries", id],
    queryFn: () =>
      unwrap(client.GET("/v1/deliveries/{delivery_id}", { params: { path: { delivery_id: id } } })),
    refetchInterval: useLive(FAST_MS),
  });
}

export function useAttempts(id: string) {
  return useQuery({
    queryKey: ["deliveries", id, "attempts"],
    queryFn: async () => {
      const found = await unwrap(
        client.GET("/v1/deliveries/{delivery_id}/attempts", {
          params: { path: { delivery_id: id }, query: { limit: MOST } },
        }),
      );
      return found as Page<RetryEvent>;
    },
    refetchInterval: useLive(FAST_MS),
  });
}

export interface EventsFilter {
  recipient?: string;
  delivery_id?: string;
  before_id?: number;
  start?: string;
  end?: string;
}

export async function fetchEvents(filter: EventsFilter, limit: number): Promise<RetryEvent[]> {
  const query = { ...filter, limit };
  const found = await unwrap(client.GET("/v1/events", { params: { query } }));
  return found.items as RetryEvent[];
}

/** The newest events, newest first. */
export function useNewest(filter: EventsFilter, limit: number, everyMs = SLOW_MS) {
  return useQuery({
    queryKey: ["events", "newest", filter, limit],
    queryFn: () => fetchEvents(filter, limit),
    placeholderData: keepPreviousData,
    refetchInterval: useLive(everyMs),
  });
}

/** Pages of events backwards from the newest; it does not refresh itself. */
export function useEventPages(filter: EventsFilter) {
  return useInfiniteQuery({
    queryKey: ["events", "pages", filter],
    meta: { still: true },
    queryFn: ({ pageParam }) =>
      fetchEvents({ ...filter, ...(pageParam && { before_id: pageParam }) }, PAGE),
    initialPageParam: 0,
    getNextPageParam: (last) => (last.length === PAGE ? last.at(-1)?.position : undefined),
    placeholderData: keepPreviousData,
  });
}

/** The last success to a recipient before an event; what came back then is what is usual. */
export function useLastSuccess(recipient: string, before: number, enabled: boolean) {
  return useQuery({
    queryKey: ["events", "last-success", recipient, before],
    queryFn: async (): Promise<RetryEvent | null> => {
      const found = await fetchEvents({ recipient, before_id: before }, MOST);
      return found.find((event) => event.outcome === "success") ?? null;
    },
    enabled,
    meta: { still: true },
    staleTime: Number.POSITIVE_INFINITY,
  });
}

export function useMessage(id: string) {
  return useQuery({
    queryKey: ["messages", id],
    queryFn: () =>
      unwrap(client.GET("/v1/messages/{message_id}", { params: { path: { message_id: id } } })),
    refetchInterval: useLive(SLOW_MS),
  });
}

export function useFlows() {
  return useQuery({
    queryKey: ["flows"],
    queryFn: async () => (await unwrap(client.GET("/v1/flows"))).items,
    staleTime: 60_000,
  });
}

export function useFlow(name: string) {
  return useQuery({
    queryKey: ["flows", name],
    queryFn: () => unwrap(client.GET("/v1/flows/{flow}", { params: { path: { flow: name } } })),
    staleTime: 60_000,
  });
}

export function useAudit(subject: string | undefined, limit = 200) {
  return useQuery({
    enabled: useMay("audit"),
    queryKey: ["audit", subject ?? "", limit],
    queryFn: async (): Promise<Note[]> => {
      const query = { limit, ...(subject && { subject }) };
      return (await unwrap(client.GET("/v1/audit", { params: { query } }))).items;
    },
    refetchInterval: useLive(SLOW_MS),
  });
}

export function useWorkers() {
  return useQuery({
    queryKey: ["workers"],
    queryFn: async () => (await unwrap(client.GET("/v1/workers"))).items,
    refetchInterval: useLive(FAST_MS),
  });
}

export function useVersion() {
  return useQuery({
    queryKey: ["version"],
    queryFn: () => unwrap(client.GET("/healthz")),
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** Ask everything on screen anew. */
export function useRefresh(): () => Promise<void> {
  const queries = useQueryClient();
  return () => queries.invalidateQueries();
}
