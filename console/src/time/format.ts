/** Instants for people, in the zone that they chose. */

import type { Zone } from "../app/prefs";
import { span } from "../logic/numbers";

/** The IANA zone for a choice; the recipient's is known only beside a recipient. */
export function zoneName(zone: Zone, recipient?: string): string | undefined {
  if (zone === "utc") return "UTC";
  return zone === "recipient" ? (recipient ?? "UTC") : undefined;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function format(zone: string | undefined, day: boolean): Intl.DateTimeFormat {
  const key = `${zone}|${day}`;
  let found = formats.get(key);
  if (found === undefined) {
    found = new Intl.DateTimeFormat("sv-SE", {
      timeZone: zone,
      ...(day && { year: "numeric", month: "2-digit", day: "2-digit" }),
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
    });
    formats.set(key, found);
  }
  return found;
}

/** `2026-01-31 14:03:22`. */
export function absolute(at: number, zone?: string): string {
  return format(zone, true).format(at);
}

/** `14:03:22`. */
export function clock(at: number, zone?: string): string {
  return format(zone, false).format(at);
}

/** `3 min ago`, `in 12 s`, `now`: one unit, since it changes while you read. */
export function relative(at: number, now: number): string {
  const away = at - now;
  if (Math.abs(away) < 1000) return "now";
  const text = coarse(Math.abs(away));
  return away > 0 ? `in ${text}` : `${text} ago`;
}

function coarse(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** How long until, to the second: for countdowns. */
export function countdown(at: number, now: number, past = "due now"): string {
  return at <= now ? past : `in ${span(Math.ceil((at - now) / 1000) * 1000)}`;
}
