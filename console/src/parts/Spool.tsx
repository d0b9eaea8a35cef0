/** The spool: what was taken while the store is away, and waits to be written to it. */

import type { Spool } from "../api/types";
import { bytes, count, percent, plural } from "../logic/numbers";
import { Time } from "../time/Time";
import type { Fact } from "./Facts";
import { Label } from "./Status";

/** Whether there is anything about it that a person should know. */
export function tells(spool: Spool): boolean {
  return spool.on || spool.messages > 0 || spool.kept > 0 || spool.refusal !== null;
}

/** How much waits, since when, and how much there may be. */
function Waits({ spool }: { spool: Spool }) {
  const most = bytes(spool.limit_bytes);
  if (spool.messages === 0) return <>nothing waits in the spool, which takes {most}</>;
  return (
    <>
      {plural(spool.messages, "message waits", "messages wait")} in the spool since{" "}
      <Time at={spool.since} />: {bytes(spool.bytes)} of {most} (
      {percent(spool.bytes / spool.limit_bytes)})
    </>
  );
}

/** In a sentence, where there is something to tell. */
export function SpoolSaying({ spool }: { spool: Spool }) {
  if (!tells(spool)) return null;
  const tone = spool.refusal ? "bad" : spool.on || spool.kept > 0 ? "warn" : "hold";
  return (
    <p className={`spool tone-${tone}`} role="status">
      {spool.on && "The store is away, and messages are taken into the spool. "}
      {spool.refusal && `The spool takes nothing: ${spool.refusal}. `}
      {spool.messages > 0 && !spool.on && "The store is back. "}
      <span className="spool-waits">
        <Waits spool={spool} />
      </span>
      {spool.kept > 0 &&
        `; ${plural(spool.kept, "file", "files")} of it could not be read or were refused`}
      .
    </p>
  );
}

/** As facts of a worker. */
export function spoolFacts(spool: Spool | null | undefined): Fact[] {
  if (!spool) return [];
  const looks = spool.refusal
    ? ({ tone: "bad", shape: "cross", text: "takes nothing" } as const)
    : spool.on
      ? ({ tone: "warn", shape: "half", text: "in use: store away" } as const)
      : ({ tone: "ok", shape: "full", text: "ready" } as const);
  return [
    ["Spool", <Label key="spool" {...looks} />],
    ["Spool takes nothing because", spool.refusal],
    [
      "In the spool",
      <span key="waits">
        <Waits spool={spool} />
      </span>,
    ],
    ["Drained since start", spool.drained > 0 ? plural(spool.drained, "message") : null],
    ["Files that stayed", spool.kept > 0 ? count(spool.kept) : null],
  ];
}
