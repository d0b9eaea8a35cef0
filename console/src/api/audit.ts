/** The audit journal: pages of it, and all of it as a file. */

import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useLive } from "../app/live";
import type { AuditFilter } from "../logic/audit";
import { authorization, client, Refusal, unwrap } from "./client";
import { useMay } from "./me";
import { PAGE, SLOW_MS } from "./queries";
import type { AuditLine, Page } from "./types";

/** Most pages that are asked for at once to fill one: each looks at a limited number of lines. */
const LOOKS = 5;

async function filled(
  filter: AuditFilter,
  from: string,
  signal: AbortSignal,
): Promise<Page<AuditLine>> {
  const items: AuditLine[] = [];
  let cursor: string | null | undefined = from;
  for (let look = 0; look < LOOKS && items.length < PAGE; look += 1) {
    const query = { ...filter, limit: PAGE - items.length, ...(cursor && { cursor }) };
    const found: Page<AuditLine> = await unwrap(
      client.GET("/v1/audit", { params: { query }, signal }),
    );
    items.push(...found.items);
    cursor = found.next_cursor;
    if (!cursor) break;
  }
  return { items, next_cursor: cursor };
}

export function useAuditPages(filter: AuditFilter) {
  const every = useLive(SLOW_MS);
  return useInfiniteQuery({
    enabled: useMay("audit"),
    queryKey: ["audit", "pages", filter],
    queryFn: ({ pageParam, signal }) => filled(filter, pageParam, signal),
    initialPageParam: "",
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    placeholderData: keepPreviousData,
    // Later pages do not move: only a list of one page refreshes itself.
    refetchInterval: (query) => ((query.state.data?.pages.length ?? 1) > 1 ? false : every),
  });
}

export type Format = "csv" | "ndjson";

/** Return the file; one that breaks off is an error, and no file. */
export async function exportedAudit(filter: AuditFilter, format: Format): Promise<Blob> {
  const query = new URLSearchParams({ ...filter, format });
  const answer = await fetch(`${location.origin}/v1/audit/export?${query}`, {
    headers: authorization(),
  });
  if (answer.ok) return answer.blob();
  const problem = await answer.json().catch(() => null);
  const detail = problem?.detail ?? `the API answered ${answer.status}`;
  throw new Refusal(detail, answer.status, problem);
}
