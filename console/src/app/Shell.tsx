/** The frame of every page: navigation, how fresh things are, zone, keys. */

import { NativeSelect, UnstyledButton, useMantineColorScheme } from "@mantine/core";
import { spotlight } from "@mantine/spotlight";
import { type ReactNode, useEffect, useState } from "react";
import { Link, useLocation } from "wouter";
import { useConnection } from "../api/connection";
import { useRecipients, useRefresh } from "../api/queries";
import { tone } from "../logic/lanes";
import { span } from "../logic/numbers";
import { clock } from "../time/format";
import { useNow } from "../time/useNow";
import { Help } from "./Help";
import { type Keys, useKeys } from "./keys";
import { useLiveControl } from "./live";
import { Palette } from "./Palette";
import { GROUPS, PAGES } from "./pages";
import { prefs, usePrefs, type Zone } from "./prefs";
import { Who } from "./Who";

export function Shell({ children }: { children: ReactNode }) {
  const [location, go] = useLocation();
  const [menu, setMenu] = useState(false);
  const [help, setHelp] = useState(false);
  const live = useLiveControl();
  const refresh = useRefresh();
  const scheme = useMantineColorScheme();
  const keys: Keys = {
    "?": () => setHelp(true),
    r: () => void refresh(),
    p: () => live.setOn(!live.on),
    t: () => scheme.toggleColorScheme(),
  };
  for (const page of PAGES) if (page.key) keys[`g ${page.key}`] = () => go(page.path);
  useKeys(keys);

  // biome-ignore lint/correctness/useExhaustiveDependencies: another page closes the menu
  useEffect(() => setMenu(false), [location]);

  return (
    <div className="shell">
      <a className="skip" href="#main">
        To the content
      </a>
      <header className="bar">
        <button
          type="button"
          className="menu-button"
          aria-expanded={menu}
          aria-controls="nav"
          onClick={() => setMenu(!menu)}
        >
          Menu
        </button>
        <Link href="/" className="brand">
          Holdfast
        </Link>
        <UnstyledButton className="search" onClick={() => spotlight.open()}>
          Go to page, lane or id <kbd>Ctrl K</kbd>
        </UnstyledButton>
        <Freshness />
        <NativeSelect
          className="zone"
          size="xs"
          aria-label="Time zone of all instants"
          value={usePrefs().zone}
          onChange={(event) => prefs.set({ zone: event.currentTarget.value as Zone })}
          data={[
            { value: "local", label: "Local time" },
            { value: "utc", label: "UTC" },
            { value: "recipient", label: "Recipient's" },
          ]}
        />
        <Who />
        <button type="button" className="plain" onClick={() => setHelp(true)} aria-label="Keys">
          ?
        </button>
      </header>
      <nav id="nav" className={menu ? "nav open" : "nav"} aria-label="Pages">
        {GROUPS.map((group) => (
          <div key={group} className="nav-group">
            <p className="nav-title">{group}</p>
            <ul>
              {PAGES.filter((page) => page.group === group).map((page) => (
                <li key={page.path}>
                  <Link
                    href={page.path}
                    className={within(location, page.path) ? "here" : ""}
                    aria-current={within(location, page.path) ? "page" : undefined}
                  >
                    {page.name}
                    {page.path === "/lanes" && <Troubled />}
                  </Link>
                </li>
              ))}
            </ul>
          </div>
        ))}
      </nav>
      <main id="main" tabIndex={-1}>
        <Stale />
        {children}
      </main>
      <Palette />
      <Help opened={help} close={() => setHelp(false)} />
    </div>
  );
}

function within(location: string, path: string): boolean {
  return path === "/" ? location === "/" : location === path || location.startsWith(`${path}/`);
}

/** How many lanes take nothing, beside the word Lanes. */
function Troubled() {
  const bad = (useRecipients().data ?? []).filter((lane) => tone(lane) === "bad").length;
  if (bad === 0) return null;
  return (
    <span className="nav-count num">
      {bad}
      <span className="sr-only"> in trouble</span>
    </span>
  );
}

function Freshness() {
  const now = useNow();
  const live = useLiveControl();
  const { state, lastOk } = useConnection();
  const age = Math.max(0, now - lastOk);
  const text = !live.on
    ? `Stopped ${lastOk ? clock(lastOk) : ""}`
    : state === "failing"
      ? "Reconnecting"
      : "Live";
  const by = live.streaming ? "Changes come as they happen." : "Asks every few seconds.";
  const look = !live.on ? "stopped" : state === "failing" ? "failing" : "live";
  return (
    <button
      type="button"
      className={`freshness ${look}`}
      aria-pressed={live.on}
      onClick={() => live.setOn(!live.on)}
      data-by={live.streaming ? "stream" : "asking"}
      title={`${live.on ? "Stop" : "Start"} the refresh (p). ${by} Last answer ${lastOk ? `${span(age)} ago` : "not yet"}.`}
    >
      <span className="dot" aria-hidden="true" />
      {text}
    </button>
  );
}

/** Says when what is on screen is old, since numbers that stand still look like calm. */
function Stale() {
  const { state, lastOk, detail } = useConnection();
  const now = useNow();
  if (state !== "failing") return <div role="status" />;
  return (
    <div className="stale" role="status">
      <b>No good answer{lastOk ? ` since ${clock(lastOk)}` : " yet"}</b>
      {lastOk ? ` (${span(now - lastOk)}). What you see is from then.` : "."} {detail}; it is asked
      again by itself.
    </div>
  );
}
