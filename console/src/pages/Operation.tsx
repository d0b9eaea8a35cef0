/** One operation: how far it is and what came of it, the canary's gate, the ramp, and why. */

import { Button } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { type ReactNode, useState } from "react";
import { Link, useParams } from "wouter";
import { exported, useOperation, useResults } from "../api/operations";
import type { Operation as Shape } from "../api/types";
import { links } from "../app/links";
import { PageHead } from "../app/PageHead";
import { useParamState } from "../app/params";
import { count, percent, plural, rate, setShare } from "../logic/numbers";
import {
  gateSays,
  handled,
  pace,
  parts,
  skipWord,
  staircase,
  standing,
  stepOf,
  through,
  titled,
} from "../logic/operations";
import { short } from "../logic/words";
import { type Act, ActDialog } from "../parts/ActDialog";
import { Choices } from "../parts/Choices";
import { Copy } from "../parts/Copy";
import { Facts } from "../parts/Facts";
import { Older } from "../parts/Older";
import { People } from "../parts/People";
import { Section } from "../parts/Section";
import { Share } from "../parts/Share";
import { Asked, Empty, Loading } from "../parts/States";
import { Label } from "../parts/Status";
import { Table } from "../parts/Table";
import { Time } from "../time/Time";
import { useNow } from "../time/useNow";
import { operationActs } from "./operationActs";

export default function Operation() {
  const { id = "" } = useParams<{ id: string }>();
  const operation = useOperation(id);
  const [asked, setAsked] = useState<Act | null>(null);
  return (
    <>
      <PageHead
        title={operation.data ? titled(operation.data) : "Operation"}
        up={<Link href="/operations">Operations</Link>}
        actions={operation.data && <Actions one={operation.data} ask={setAsked} />}
      >
        {operation.data && <Stands one={operation.data} />}
      </PageHead>
      <Asked query={operation}>{(one) => <Body one={one} />}</Asked>
      <ActDialog act={asked} close={() => setAsked(null)} />
    </>
  );
}

function Actions({ one, ask }: { one: Shape; ask: (act: Act) => void }) {
  const now = useNow();
  return (
    <>
      <Export id={one.id} />
      {Object.entries(operationActs(one, now)).map(([name, act]) => (
        <Button
          key={name}
          size="xs"
          variant={name === "Resume" || name === "Undo" ? "filled" : "default"}
          onClick={() => ask(act)}
        >
          {name}
        </Button>
      ))}
    </>
  );
}

/** Saves every result as a file, a JSON object a line. */
function Export({ id }: { id: string }) {
  const [number, setNumber] = useState<number | null>(null);
  async function save() {
    setNumber(0);
    try {
      const address = URL.createObjectURL(await exported(id, setNumber));
      const link = document.createElement("a");
      link.href = address;
      link.download = `${id}.ndjson`;
      link.click();
      URL.revokeObjectURL(address);
    } catch (problem) {
      const message = problem instanceof Error ? problem.message : String(problem);
      notifications.show({ title: "Not exported", message, color: "red" });
    } finally {
      setNumber(null);
    }
  }
  return (
    <Button
      size="xs"
      variant="default"
      disabled={number !== null}
      onClick={() => void save()}
      title="What became of each delivery, as lines of JSON"
    >
      {number === null ? "Export results" : `${count(number)} results`}
    </Button>
  );
}

function Stands({ one }: { one: Shape }) {
  const { tone, shape, word, says } = standing(one);
  const left = through(one);
  return (
    <>
      <p className="lane-line">
        <Label tone={tone} shape={shape} text={word} />
        {says && <span>{says}</span>}
        {left && <span className="muted">about {left} to go</span>}
        {one.undo_until && <UndoWindow until={one.undo_until} />}
      </p>
      <p className="id-line">
        <code>{one.id}</code>
        <Copy text={one.id} label="Copy id" />
      </p>
    </>
  );
}

function UndoWindow({ until }: { until: string }) {
  const now = useNow();
  if (Date.parse(until) <= now) return <span className="muted">its undo is over</span>;
  return (
    <span className="tone-hold">
      can be undone; that ends <Time at={until} as="until" past="now" />
    </span>
  );
}

function Body({ one }: { one: Shape }) {
  const { done, of } = handled(one);
  const pieces = parts(one);
  const skips = Object.entries(one.skips).sort(([, a], [, b]) => b - a);
  return (
    <div className="with-side">
      <div>
        <Section
          title="Progress"
          note={
            <span className="num">
              {count(done)} of {one.at_least ? "at least " : ""}
              {count(of)}
            </span>
          }
        >
          {pieces.length === 0 ? (
            <Empty title={one.state === "running" ? "Nothing is done yet" : "There was nothing"} />
          ) : (
            <Share parts={pieces} of={of} label="Progress" />
          )}
        </Section>
        {one.canary && <Canary one={one} canary={one.canary} />}
        {skips.length > 0 && (
          <Section title="Why some were skipped">
            <ul className="strata">
              {skips.map(([reason, number]) => (
                <li key={reason}>
                  <b className="num">{count(number)}</b> {skipWord(reason)}{" "}
                  <code className="muted">{reason}</code>
                </li>
              ))}
            </ul>
          </Section>
        )}
        <Results one={one} />
      </div>
      <aside>
        <Section title="What was asked">
          <Plan one={one} />
        </Section>
        <People id={one.id} title="What happened" />
      </aside>
    </div>
  );
}

/** The gate while it is waited for; before and after it the stairs that the rate climbs. */
function Canary({ one, canary }: { one: Shape; canary: NonNullable<Shape["canary"]> }) {
  const asked = `${count(canary.size)} go first; surely more than ${setShare(canary.bound)} must be delivered`;
  return (
    <Section title="Canary and ramp" note={asked}>
      {one.gate ? <Gate gate={one.gate} open={one.state === "running"} /> : <Stairs one={one} />}
    </Section>
  );
}

/** A scale from 0 to all: what is delivered, where the bound is, and what is sure by now. */
function Gate({ gate, open }: { gate: NonNullable<Shape["gate"]>; open: boolean }) {
  const place = (share: number) => `${Math.min(1, Math.max(0, share)) * 100}%`;
  const size = Math.max(1, gate.size);
  return (
    <div className="gate-box">
      <p role="status">{gateSays(gate)}.</p>
      <div className="gate-scale" aria-hidden="true">
        <div className="share-part share-ok" style={{ width: place(gate.delivered / size) }} />
        <div className="share-part share-bad" style={{ width: place(gate.failed / size) }} />
        <Mark at={place(gate.bound)}>asked {setShare(gate.bound)}</Mark>
        <Mark at={place(gate.lower_bound)} sure>
          sure {percent(gate.lower_bound)}
        </Mark>
      </div>
      <p className="muted">
        The sample went <Time at={gate.since} />.
        {open && " It is decided as soon as what is missing cannot change it."}
      </p>
    </div>
  );
}

/** A line on the scale; its words stay within the box, wherever it stands. */
function Mark({ at, sure, children }: { at: string; sure?: boolean; children: ReactNode }) {
  return (
    <div className={sure ? "gate-mark sure" : "gate-mark"} style={{ left: at }}>
      <span style={{ transform: `translateX(-${at})` }}>{children}</span>
    </div>
  );
}

const HIGH = 64;

function Stairs({ one }: { one: Shape }) {
  const stairs = staircase(one);
  const at = stepOf(stairs, one.present_rate);
  const drawn = one.stage === "draw";
  return (
    <div className="gate-box">
      <p>
        {drawn
          ? "The canary is drawn."
          : one.stage === "main" && one.state === "running"
            ? `The gate is passed: ${pace(one)}. The rate doubles every 5 s while all goes well.`
            : `It reached ${rate(one.present_rate)} of ${rate(one.rate)}.`}
      </p>
      <ol className="stairs" aria-hidden="true">
        {stairs.map((step, index) => (
          <li
            key={step}
            className={
              index === at && !drawn ? "here" : index < at && !drawn ? "passed" : undefined
            }
          >
            <div style={{ height: `${8 + ((index + 1) / stairs.length) * HIGH}px` }} />
            <span className="num">{step >= 10 ? count(step) : step}</span>
          </li>
        ))}
      </ol>
    </div>
  );
}

function Plan({ one }: { one: Shape }) {
  return (
    <Facts
      facts={[
        ["Who", one.actor],
        ["Why", one.reason],
        [
          "Of which",
          one.q && (
            <Link key="q" href={links.search(one.q)}>
              <code>{one.q}</code>
            </Link>
          ),
        ],
        ["Named", one.ids > 0 ? plural(one.ids, "delivery", "deliveries") : null],
        ["Up to", <Time key="cut" at={one.cut_off} as="absolute" />],
        ["Begun", <Time key="begun" at={one.created_at} as="absolute" />],
        ["Ended", one.ended_at && <Time key="ended" at={one.ended_at} as="absolute" />],
        ["Rate", pace(one)],
        ["Batch", `${count(one.batch)} a commit`],
        [
          "Under way",
          one.kind === "redrive" ? `at most ${count(one.concurrency)} without an outcome` : null,
        ],
        ["Stops when", one.kind === "redrive" ? stops(one.stop_error_rate) : null],
        ["Endpoint", one.endpoint],
        ["Priority", one.priority],
        ["Not before", one.at && <Time key="at" at={one.at} as="absolute" />],
      ]}
    />
  );
}

function stops(share: number): string {
  return share >= 1 ? "never by itself" : `surely more than ${setShare(share)} fail again`;
}

const OUTCOMES: Record<string, { tone: "ok" | "bad" | "hold" | "quiet"; word: string }> = {
  done: { tone: "ok", word: "done" },
  released: { tone: "hold", word: "under way" },
  delivered: { tone: "ok", word: "delivered" },
  failed: { tone: "bad", word: "failed again" },
  ended: { tone: "quiet", word: "given up since" },
  skipped: { tone: "quiet", word: "skipped" },
  undone: { tone: "quiet", word: "undone" },
  kept: { tone: "hold", word: "kept" },
};

const SHAPES = { ok: "full", bad: "cross", hold: "ring", quiet: "dash" } as const;

/** Which results: what the API calls them, and in words. */
const WHICH: readonly (readonly [value: string, word: string])[] = [
  ["", "All"],
  ["done,delivered,undone", "Ok"],
  ["released", "Under way"],
  ["failed,ended", "Failed"],
  ["skipped,kept", "Skipped"],
];

function Results({ one }: { one: Shape }) {
  const params = useParamState();
  const given = params.get("outcome");
  const which = WHICH.some(([value]) => value === given) ? given : "";
  const results = useResults(one.id, which);
  const items = results.data?.pages.flatMap((page) => page.items) ?? [];
  if (results.isPending) return <Loading lines={4} />;
  if (items.length === 0 && which === "") return null;
  return (
    <Section title="Each delivery" note="newest first">
      <div className="filters">
        <Choices
          label="What became of it"
          choices={WHICH}
          value={which}
          choose={(value) => params.set({ outcome: value })}
        />
      </div>
      {items.length === 0 && <Empty title="None of these" />}
      {items.length > 0 && (
        <Table
          label="Results"
          columns={["Delivery", ["What became of it", "grow"], ["When", "right"]]}
          className="events"
        >
          {items.map((result) => {
            const { tone, word } = OUTCOMES[result.outcome] ?? {
              tone: "quiet" as const,
              word: result.outcome,
            };
            return (
              <tr key={result.delivery_id}>
                <td>
                  <Link
                    href={links.delivery(result.delivery_id)}
                    className="mono"
                    title={result.delivery_id}
                  >
                    {short(result.delivery_id)}
                  </Link>
                </td>
                <td className="grow">
                  <Label tone={tone} shape={SHAPES[tone]} text={word} />
                  {result.reason && <span className="muted">: {skipWord(result.reason)}</span>}
                </td>
                <td className="right">
                  <Time at={result.at} />
                </td>
              </tr>
            );
          })}
        </Table>
      )}
      <Older list={results} label="More" />
    </Section>
  );
}
