/** Addresses of pages; names and ids are encoded in one place. */

import { query } from "../logic/query";

export const links = {
  lane: (name: string): string => `/lanes/${encodeURIComponent(name)}`,
  delivery: (id: string): string => `/deliveries/${encodeURIComponent(id)}`,
  message: (id: string): string => `/messages/${encodeURIComponent(id)}`,
  operation: (id: string): string => `/operations/${encodeURIComponent(id)}`,
  group: (id: string): string => `/groups/${encodeURIComponent(id)}`,
  review: (id: string, within = ""): string => `/review/${encodeURIComponent(id)}${within}`,
  flow: (name: string): string => `/flows/${encodeURIComponent(name)}`,
  /** The deliveries of which all of these hold: qualifier -> word. */
  deliveries: (parts: Record<string, string>): string => links.search(query(parts)),
  search: (q: string): string => `/deliveries?${new URLSearchParams({ q })}`,
  events: (filter: Record<string, string>): string => `/events?${new URLSearchParams(filter)}`,
  audit: (subject: string): string => `/audit?${new URLSearchParams({ subject })}`,
};

/** Where an id or a name that somebody typed leads. */
export function place(typed: string): string | null {
  const text = typed.trim();
  if (/^dlv_[0-9a-f]{32}$/.test(text)) return links.delivery(text);
  if (/^opr_[0-9a-f]{32}$/.test(text)) return links.operation(text);
  if (/^g\d+_[0-9a-f]{16}$/.test(text)) return links.group(text);
  return /^msg_[0-9a-f]{32}$/.test(text) ? links.message(text) : null;
}
