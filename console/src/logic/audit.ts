/** The audit journal: what its filters mean, and what a line says was before and after. */

import { since } from "./since";

/** What the filters ask the API for. */
export interface AuditFilter {
  subject?: string;
  actor?: string;
  action?: string;
  since?: string;
  until?: string;
}

type Fields = Record<string, unknown> | null;

/** Return an action as the journal writes it: "Set role" is `set_role`. */
export function action(typed: string): string {
  return typed
    .trim()
    .toLowerCase()
    .replace(/[\s-]+/g, "_");
}

/** Return what the address means: whole days in UTC, or a span that ends now. */
export function auditFilter(get: (name: string) => string, now: number): AuditFilter {
  const day = (name: string) => (get(name) ? `${get(name)}T00:00:00Z` : undefined);
  const found: AuditFilter = {
    subject: get("subject").trim() || undefined,
    actor: get("actor").trim() || undefined,
    action: action(get("action")) || undefined,
    since: day("from") ?? since(get("since"), now),
    until: day("until"),
  };
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined));
}

/** Return what changed, a field a line: `paused: null → "they asked"`. */
export function changed(before: Fields, after: Fields): string[] {
  const names = new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})]);
  return [...names].map((name) => {
    const now = JSON.stringify(after?.[name]);
    return before === null
      ? `${name}: ${now}`
      : `${name}: ${JSON.stringify(before[name])} → ${now}`;
  });
}
