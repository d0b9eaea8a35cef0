/** An instant: relative as text, absolute on hover, both zones in the title. */

import { usePrefs } from "../app/prefs";
import { absolute, clock, countdown, relative, zoneName } from "./format";
import { useNow } from "./useNow";

interface Props {
  at: string | null | undefined;
  /** IANA zone of the recipient beside which it stands. */
  zone?: string;
  /** `clock` shows the time of day, `until` counts down. */
  as?: "relative" | "absolute" | "clock" | "until";
  /** Shown when there is no instant. */
  none?: string;
  /** Of a countdown that is over. */
  past?: string;
}

export function Time({ at, zone, as = "relative", none = "–", past }: Props) {
  const now = useNow();
  const prefs = usePrefs();
  if (!at) return <span className="muted">{none}</span>;
  const instant = Date.parse(at);
  const shown = zoneName(prefs.zone, zone);
  const title = `${absolute(instant, shown)} ${shown ?? "local"} (${at})`;
  const texts = {
    relative: () => relative(instant, now),
    absolute: () => absolute(instant, shown),
    clock: () => clock(instant, shown),
    until: () => countdown(instant, now, past),
  };
  return (
    <time className="num" dateTime={at} title={title}>
      {texts[as]()}
    </time>
  );
}
