/** One lane: breaker, prober, pacer, holds, forecast, its last tries, and what a person can do. */

import { Button } from "@mantine/core";
import { useState } from "react";
import { Link, useParams } from "wouter";
import { useNewest, useRecipient } from "../api/queries";
import type { Recipient, RetryEvent } from "../api/types";
import { links } from "../app/links";
import { PageHead } from "../app/PageHead";
import { bucketed } from "../logic/buckets";
import { count, percent, plural, rate, span } from "../logic/numbers";
import { kindsFor } from "../logic/operations";
import { patterns } from "../logic/patterns";
import { query } from "../logic/query";
import { type Act, ActDialog } from "../parts/ActDialog";
import { EventTable } from "../parts/EventTable";
import { Facts } from "../parts/Facts";
import { Gates } from "../parts/Gates";
import { LaneWhy } from "../parts/LaneTable";
import { OperationForm, type Wanted } from "../parts/OperationForm";
import { Plot } from "../parts/Plot";
import { Section } from "../parts/Section";
import { Asked, Empty } from "../parts/States";
import { BreakerLabel, Label } from "../parts/Status";
import { Time } from "../time/Time";
import { laneActs } from "./laneActs";

const EVENTS = 1000;
const SHOWN = 15;

export default function Lane() {
  const { name = "" } = useParams<{ name: string }>();
  const lane = useRecipient(name);
  const [asked, setAsked] = useState<Act | null>(null);
  const [wanted, setWanted] = useState<Wanted | null>(null);
  return (
    <>
      <PageHead
        title={name}
        up={<Link href="/lanes">Lanes</Link>}
        actions={lane.data && <Actions lane={lane.data} ask={setAsked} bulk={setWanted} />}
      >
        {lane.data && (
          <p className="lane-line">
            <BreakerLabel breaker={lane.data.breaker} paused={lane.data.paused !== null} />
            <span>
              <LaneWhy lane={lane.data} />
            </span>
            <span className="muted">{lane.data.description}</span>
          </p>
        )}
      </PageHead>
      <Asked query={lane}>{(found) => <Body lane={found} />}</Asked>
      <ActDialog act={asked} close={() => setAsked(null)} />
      <OperationForm wanted={wanted} close={() => setWanted(null)} />
    </>
  );
}

interface ActionsProps {
  lane: Recipient;
  ask: (act: Act) => void;
  bulk: (wanted: Wanted) => void;
}

function Actions({ lane, ask, bulk }: ActionsProps) {
  return (
    <>
      {(lane.dead > 0 || lane.pending > 0) && (
        <Button size="xs" variant="default" onClick={() => bulk(ofLane(lane))}>
          {lane.dead > 0 ? "Redrive what is in review" : "Act on what waits"}
        </Button>
      )}
      {Object.entries(laneActs(lane)).map(([name, act]) => (
        <Button
          key={name}
          size="xs"
          variant={name === "Resume" ? "filled" : "default"}
          onClick={() => ask(act)}
        >
          {name}
        </Button>
      ))}
    </>
  );
}

/** All of a lane that is in review, or else all that waits. */
function ofLane(lane: Recipient): Wanted {
  const status = lane.dead > 0 ? "dead" : "pending";
  const q = query({ status, recipient: lane.recipient });
  const what = `what ${lane.dead > 0 ? "is in review" : "waits"} of ${lane.recipient}`;
  return { q, what, kinds: kindsFor(q) };
}

function Body({ lane }: { lane: Recipient }) {
  return (
    <>
      <div className="thirds">
        <Section title="Deliveries">
          <Counts lane={lane} />
        </Section>
        <Section title="Why it waits">
          {lane.gates && lane.gates.length > 0 ? (
            <Gates gates={lane.gates} zone={lane.zone} />
          ) : (
            <Empty title="No gate is closed" />
          )}
        </Section>
        <Section title="When it is through">
          <Forecast lane={lane} />
        </Section>
      </div>
      <div className="halves">
        <Section title="Prober and pacer">
          <Pace lane={lane} />
        </Section>
        <Section title="Endpoints">
          <Endpoints lane={lane} />
        </Section>
      </div>
      <Tries lane={lane} />
    </>
  );
}

function Counts({ lane }: { lane: Recipient }) {
  const link = (status: string, number: number) => (
    <Link href={links.deliveries({ status, recipient: lane.recipient })}>{count(number)}</Link>
  );
  return (
    <Facts
      facts={[
        ["Waiting", link("pending", lane.pending)],
        ["Sending now", `${lane.in_flight} of ${lane.concurrency}`],
        ["In memory", count(lane.buffered)],
        ["Delivered", link("delivered", lane.delivered)],
        ["In review", link("dead", lane.dead)],
        ["Discarded", link("discarded", lane.discarded)],
        [
          "Last success",
          <Time key="last" at={lane.last_success_at} zone={lane.zone} none="never" />,
        ],
      ]}
    />
  );
}

function Forecast({ lane }: { lane: Recipient }) {
  const drain = lane.drain;
  if (!drain) return <Empty title="Not asked yet" />;
  if (drain.backlog === 0 && drain.endless === 0) return <Empty title="Nothing waits" />;
  return (
    <>
      <Facts
        facts={[
          ["Backlog", count(drain.backlog)],
          ["Likely by", drain.p50 && <Time key="p50" at={drain.p50} as="until" zone={lane.zone} />],
          [
            "Nine of ten by",
            drain.p90 && <Time key="p90" at={drain.p90} as="until" zone={lane.zone} />,
          ],
          ["Coming in", drain.arrivals === null ? "not measured yet" : rate(drain.arrivals)],
          ["Most seen to take", drain.rate === null ? "none seen yet" : rate(drain.rate)],
          ["Without a time", drain.endless > 0 ? count(drain.endless) : null],
        ]}
      />
      {drain.unknown && <p className="muted note-line">{drain.unknown}</p>}
    </>
  );
}

function Tries({ lane }: { lane: Recipient }) {
  const events = useNewest({ recipient: lane.recipient }, EVENTS, 5000);
  const found = events.data ?? [];
  const made = bucketed(found);
  const top = patterns(found)[0];
  const failed = found.filter((event) => event.outcome !== "success").length;
  return (
    <Section
      title="Last tries"
      note={
        found.length > 0 && (
          <>
            {plural(found.length, "try", "tries")}, {percent(failed / found.length)} without success
            {top && `; most often: ${top.reason}`}
          </>
        )
      }
      actions={<Link href={links.events({ recipient: lane.recipient })}>All events</Link>}
    >
      <Asked query={events}>
        {(all: RetryEvent[]) =>
          all.length === 0 ? (
            <Empty title="Nothing was sent yet" />
          ) : (
            <>
              <Plot
                title="Tries per second"
                times={made.times}
                stacked
                show={(value) => (value === 0 ? "0" : rate(value))}
                series={[
                  { name: "succeeded", tone: "ok", values: made.successes },
                  { name: "failed", tone: "bad", dashed: true, values: made.failures },
                ]}
              />
              <EventTable events={all.slice(0, SHOWN)} zone={lane.zone} without="recipient" />
            </>
          )
        }
      </Asked>
    </Section>
  );
}

function Pace({ lane }: { lane: Recipient }) {
  const probe = lane.probe;
  return (
    <Facts
      facts={[
        ["Rate allowed", lane.rate === null ? "not limited" : rate(lane.rate)],
        ["Slots", `${lane.concurrency} at once, weight ${lane.weight}`],
        ["Usual failures", percent(lane.usual_failures)],
        ["Breaker since", <Time key="since" at={lane.since} zone={lane.zone} />],
        ["Breaker reason", lane.breaker === "closed" ? null : lane.reason],
        ["Set by", lane.manual ? "a person" : null],
        [
          "Next probe",
          lane.next_probe && <Time key="probe" at={lane.next_probe} as="until" zone={lane.zone} />,
        ],
        ["Why then", probe && explained(probe)],
        [
          "Retries held until",
          lane.retries_at && <Time key="budget" at={lane.retries_at} as="until" />,
        ],
        ["Clock", lane.zone],
        ["Account", lane.account],
      ]}
    />
  );
}

/** Why the next probe goes when it goes, from the plan's own numbers. */
function explained(probe: NonNullable<Recipient["probe"]>): string {
  const waiting = plural(probe.waiting, "delivery waits", "deliveries wait");
  const down = `down for ${span(probe.down_ms)} (${probe.failure_class}), ${waiting}`;
  if (probe.hazard <= 0) return `${down}; nothing is learned of such outages yet`;
  const soon = 1 - Math.exp(-probe.hazard * 60);
  return `${down}; ${percent(soon)} of such outages end within the next minute`;
}

function Endpoints({ lane }: { lane: Recipient }) {
  return (
    <ul className="endpoints">
      {lane.endpoints.map((endpoint) => (
        <li key={endpoint.name}>
          {endpoint.disabled ? (
            <Label tone="bad" shape="cross" text={endpoint.name} />
          ) : (
            <Label tone="ok" shape="full" text={endpoint.name} />
          )}
          <code>
            {endpoint.method} {endpoint.origin}
          </code>
          {endpoint.disabled && (
            <span className="muted">answered 410: gone. Correct the address, then resume.</span>
          )}
        </li>
      ))}
    </ul>
  );
}
