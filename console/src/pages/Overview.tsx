/** Everything at a glance: what fails and why, how much waits, how fast it goes (S1.60-S1.67). */

import { Link } from "wouter";
import { useMe } from "../api/me";
import { useNewest, useOverview, useRecipients } from "../api/queries";
import type { Overview as Glance, Recipient, Window, Worker } from "../api/types";
import { links } from "../app/links";
import { PageHead } from "../app/PageHead";
import { headline } from "../logic/headline";
import { why } from "../logic/lanes";
import { bytes, count, percent, plural, rate, span } from "../logic/numbers";
import { patterns } from "../logic/patterns";
import { Alerts } from "../parts/Alerts";
import { Bar } from "../parts/Bar";
import { Critical } from "../parts/Critical";
import { LaneTable } from "../parts/LaneTable";
import { Plot } from "../parts/Plot";
import { Section } from "../parts/Section";
import { SpoolSaying } from "../parts/Spool";
import { Asked, Empty, Loading } from "../parts/States";
import { Table } from "../parts/Table";
import { Time } from "../time/Time";

const EVENTS = 500;
const SHOWN = 6;

export default function Overview() {
  const overview = useOverview();
  const lanes = useRecipients();
  const account = useMe()?.account;
  return (
    <>
      <PageHead title="Overview">
        {lanes.data && !(account && lanes.data.length === 0) && <Saying lanes={lanes.data} />}
        {overview.data?.workers.map(
          (worker) => worker.spool && <SpoolSaying key={worker.id} spool={worker.spool} />,
        )}
        {account && (
          <p className="muted">
            What belongs to the account {account}. Rates, answer times and workers are those of all
            accounts together, and not shown.
          </p>
        )}
      </PageHead>
      <Asked query={overview}>
        {(glance) =>
          glance.windows.length > 0 ? (
            <>
              <Figures glance={glance} lanes={lanes.data ?? []} />
              <Plots glance={glance} />
            </>
          ) : (
            <OwnFigures glance={glance} lanes={lanes.data ?? []} />
          )
        }
      </Asked>
      <Section title="Lanes" note="Trouble first" className="wide">
        <Asked query={lanes}>
          {(found) => (found.length > 0 ? <LaneTable lanes={found} /> : <NoLane of={account} />)}
        </Asked>
      </Section>
      <div className="halves">
        <Alerts />
        <Critical />
      </div>
      <Failing />
      {overview.data && overview.data.workers.length > 0 && (
        <Section title="Resources" note={plural(overview.data.workers.length, "worker")}>
          {overview.data.workers.map((worker) => (
            <Resources key={worker.id} worker={worker} />
          ))}
        </Section>
      )}
    </>
  );
}

function NoLane({ of }: { of: string | null | undefined }) {
  return of ? (
    <Empty title={`No recipient belongs to ${of}`}>
      Who runs this installation gives the account recipients and flows.
    </Empty>
  ) : (
    <Empty title="No recipient is configured">
      Recipients and flows stand in <code>holdfast.toml</code>.
    </Empty>
  );
}

/** The first sentence, with links to the lanes that it speaks of. */
function Saying({ lanes }: { lanes: Recipient[] }) {
  const said = headline(lanes);
  const of = (wanted: keyof Recipient) =>
    lanes.reduce((sum, lane) => sum + Number(lane[wanted]), 0);
  const ended = of("discarded") + of("pruned");
  const parts = of("delivered") + of("pending") + of("dead") + ended;
  return (
    <>
      <p className={`saying tone-${said.tone}`}>
        {said.text}
        {said.lanes.length > 0 && ": "}
        {said.lanes.slice(0, 5).map((name, index) => (
          <span key={name}>
            {index > 0 && ", "}
            <Link href={links.lane(name)}>{name}</Link>
          </span>
        ))}
        {said.lanes.length > 5 && ` and ${said.lanes.length - 5} more`}
      </p>
      <Whys lanes={lanes.filter((lane) => said.lanes.includes(lane.recipient))} />
      <p className="sums num muted">
        {count(of("created"))} deliveries = {count(of("delivered"))} delivered +{" "}
        {count(of("pending"))} waiting + {count(of("dead"))} in review + {count(ended)} discarded
        {parts === of("created") ? "" : " (does not add up)"}
      </p>
    </>
  );
}

const EXPLAINED = 3;

/** Why, in a line for each of the first lanes that the sentence names. */
function Whys({ lanes }: { lanes: Recipient[] }) {
  return (
    <ul className="whys">
      {lanes.slice(0, EXPLAINED).map((lane) => {
        const found = why(lane);
        return (
          found && (
            <li key={lane.recipient}>
              <Link href={links.lane(lane.recipient)}>{lane.recipient}</Link>: {found.text};{" "}
              {plural(lane.pending, "delivery waits", "deliveries wait")}
              {found.until && (
                <>
                  , {found.untilWord}{" "}
                  <Time at={found.until} as="until" past="now" zone={lane.zone} />
                </>
              )}
            </li>
          )
        );
      })}
    </ul>
  );
}

function windowOf(glance: Glance, minutes: number): Window | undefined {
  return glance.windows.find((one) => one.minutes === minutes);
}

function share(found: Window | undefined): string {
  return found && found.tries > 0 ? percent(found.successes / found.tries) : "–";
}

/** The share of a longer window, once it has seen more than the shorter one beside it. */
function longer(found: Window | undefined, shorter: number): string {
  return found && found.covered_ms > shorter * 60_000 ? share(found) : "–";
}

function perSecond(number: number, found: Window | undefined): string {
  return found && found.covered_ms > 0 ? rate((number / found.covered_ms) * 1000) : "–";
}

interface FigureProps {
  name: string;
  value: string;
  href?: string;
  details: [name: string, value: string][];
}

function Figure({ name, value, href, details }: FigureProps) {
  return (
    <div className="figure">
      <dt>{href ? <Link href={href}>{name}</Link> : name}</dt>
      <dd className="figure-value num">{value}</dd>
      {details.map(([label, text]) => (
        <dd key={label} className="figure-detail num">
          <span>{label}</span> {text}
        </dd>
      ))}
    </div>
  );
}

interface FiguresProps {
  glance: Glance;
  lanes: Recipient[];
}

function Waiting({ glance }: { glance: Glance }) {
  const priority = (name: string) => count(glance.by_priority[name] ?? 0);
  return (
    <Figure
      name="Waiting"
      href={links.deliveries({ status: "pending" })}
      value={count(glance.depth)}
      details={[
        ["high", priority("high")],
        ["normal", priority("normal")],
        ["low", priority("low")],
      ]}
    />
  );
}

function InReview({ lanes }: { lanes: Recipient[] }) {
  return (
    <Figure
      name="In review"
      href={links.deliveries({ status: "dead" })}
      value={count(lanes.reduce((sum, lane) => sum + lane.dead, 0))}
      details={[["lanes", count(lanes.filter((lane) => lane.dead > 0).length)]]}
    />
  );
}

/** What is known of one account alone: counts, and no rates. */
function OwnFigures({ glance, lanes }: FiguresProps) {
  const of = (wanted: "delivered" | "created") => lanes.reduce((sum, one) => sum + one[wanted], 0);
  const open = Object.entries(glance.lanes).filter(([state]) => state !== "closed");
  return (
    <dl className="figures">
      <Waiting glance={glance} />
      <Figure
        name="Sending now"
        value={count(glance.active)}
        details={[
          ["lanes", count(lanes.length)],
          ["that do not flow", count(open.reduce((sum, [, number]) => sum + number, 0))],
        ]}
      />
      <Figure
        name="Delivered"
        value={count(of("delivered"))}
        details={[["of all", of("created") > 0 ? percent(of("delivered") / of("created")) : "–"]]}
      />
      <InReview lanes={lanes} />
    </dl>
  );
}

function Figures({ glance, lanes }: FiguresProps) {
  const [one, five, quarter, hour] = [1, 5, 15, 60].map((minutes) => windowOf(glance, minutes));
  return (
    <dl className="figures">
      <Waiting glance={glance} />
      <Figure
        name="Sending now"
        value={count(glance.active)}
        details={[
          ["of slots", count(glance.workers.reduce((sum, each) => sum + each.slots, 0))],
          ["oldest due", glance.oldest_due_ms > 0 ? span(glance.oldest_due_ms) : "–"],
        ]}
      />
      <Figure
        name="Tries that succeed"
        value={share(five)}
        details={[
          ["1 min", share(one)],
          ["15 min", longer(quarter, 5)],
          ["60 min", longer(hour, 15)],
        ]}
      />
      <Figure
        name="Delivered per second"
        value={perSecond(one?.successes ?? 0, one)}
        details={[
          ["tries", perSecond(one?.tries ?? 0, one)],
          ["coming in", perSecond(one?.accepted ?? 0, one)],
        ]}
      />
      <Figure
        name="Answer time"
        value={latency(five?.p50_ms)}
        details={[
          ["median of", "5 min"],
          ["95 of 100 below", latency(five?.p95_ms)],
        ]}
      />
      <InReview lanes={lanes} />
    </dl>
  );
}

function latency(ms: number | null | undefined): string {
  return ms === null || ms === undefined ? "–" : span(ms);
}

function Plots({ glance }: { glance: Glance }) {
  const points = glance.points;
  const times = points.map((point) => Date.parse(point.at ?? ""));
  const each = (number: (point: (typeof points)[number]) => number) =>
    points.map((point) => (number(point) / point.span_ms) * 1000);
  return (
    <div className="halves">
      <Section title="Tries">
        <Plot
          title="Per second"
          times={times}
          stacked
          show={(value) => (value === 0 ? "0" : rate(value))}
          series={[
            { name: "succeeded", tone: "ok", values: each((point) => point.successes) },
            {
              name: "failed",
              tone: "bad",
              dashed: true,
              values: each((point) => point.tries - point.successes),
            },
          ]}
        />
      </Section>
      <Section title="Answer time">
        <Plot
          title="Duration of a send"
          times={times}
          show={(value) => (value === 0 ? "0" : span(value))}
          series={[
            { name: "median", tone: "main", values: points.map((point) => point.p50_ms) },
            {
              name: "95 of 100 below",
              tone: "quiet",
              dashed: true,
              values: points.map((point) => point.p95_ms),
            },
          ]}
        />
      </Section>
    </div>
  );
}

function Failing() {
  const events = useNewest({}, EVENTS);
  const found = events.data ? patterns(events.data) : null;
  return (
    <Section
      title="What fails"
      note={events.data ? `in the newest ${plural(events.data.length, "try", "tries")}` : ""}
      actions={<Link href="/groups">All groups</Link>}
    >
      {found === null && <Loading lines={4} />}
      {found?.length === 0 && <Empty title="Nothing failed" />}
      {found !== null && found.length > 0 && (
        <Table
          label="Failures that look alike"
          columns={[["Times", "right"], "Recipient", ["Reason", "grow"], ["Last", "right"]]}
        >
          {found.slice(0, SHOWN).map((pattern) => (
            <tr key={pattern.key}>
              <td className="right num">{count(pattern.count)}</td>
              <td>
                <Link href={links.lane(pattern.recipient)}>{pattern.recipient}</Link>
              </td>
              <td className="grow">
                <span className="came">
                  {pattern.status && <span className="tag num">{pattern.status}</span>}
                  <Link
                    href={links.delivery(pattern.sample)}
                    className="clip"
                    title={pattern.reason}
                  >
                    {pattern.reason}
                  </Link>
                  <span className="tag hide-phone">{pattern.failureClass}</span>
                </span>
              </td>
              <td className="right">
                <Time at={pattern.last} />
              </td>
            </tr>
          ))}
        </Table>
      )}
    </Section>
  );
}

export function Resources({ worker }: { worker: Worker }) {
  const rows: [string, number, string][] = [
    ["Processor", worker.cpu, `load ${worker.load.toFixed(2)} per core`],
    ["Memory", worker.memory, `this process ${bytes(worker.process_memory)}`],
    ["Disk", worker.disk, "used"],
    ["Slots", worker.in_flight / worker.slots, `${worker.in_flight} of ${count(worker.slots)}`],
  ];
  return (
    <div className="meters">
      {rows.map(([name, value, note]) => (
        <div key={name} className="meter-row">
          <span>{name}</span>
          <Bar value={value} />
          <span className="num right">{percent(value)}</span>
          <span className="muted num">{note}</span>
        </div>
      ))}
    </div>
  );
}
