/** "Accepted since" as people choose it: a span that moves with time, kept as such in the address. */

const SPANS: Record<string, number> = {
  "15m": 900_000,
  "1h": 3_600_000,
  "24h": 86_400_000,
  "7d": 604_800_000,
};

export const SINCE_CHOICES = [
  { value: "", label: "any time" },
  { value: "15m", label: "15 minutes" },
  { value: "1h", label: "hour" },
  { value: "24h", label: "day" },
  { value: "7d", label: "7 days" },
];

/** Return the instant that a choice means, to the minute: a list must not change its key always. */
export function since(choice: string, now: number): string | undefined {
  const span = SPANS[choice];
  if (span === undefined) return undefined;
  return new Date(Math.floor((now - span) / 60_000) * 60_000).toISOString();
}
