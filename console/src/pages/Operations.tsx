/** Bulk work: what runs, and what was done. */

import { Link } from "wouter";
import { useOperations, useRunning } from "../api/operations";
import type { Operation } from "../api/types";
import { links } from "../app/links";
import { PageHead } from "../app/PageHead";
import { count, plural } from "../logic/numbers";
import { handled, parts, standing, titled } from "../logic/operations";
import { Older } from "../parts/Older";
import { Section } from "../parts/Section";
import { Share } from "../parts/Share";
import { Empty, Loading, Trouble } from "../parts/States";
import { Label } from "../parts/Status";
import { Table } from "../parts/Table";
import { Time } from "../time/Time";

const OPEN = new Set<Operation["state"]>(["running", "paused", "undoing"]);

export default function Operations() {
  const list = useOperations();
  const running = useRunning();
  const all = list.data?.pages.flatMap((page) => page.items) ?? [];
  const known = new Set(all.map((one) => one.id));
  // What runs is asked for by itself, as it may be older than a page of what has ended.
  const older = (running.data ?? []).filter((one) => !known.has(one.id));
  const open = [...all.filter((one) => OPEN.has(one.state)), ...older];
  const ended = all.filter((one) => !OPEN.has(one.state));
  return (
    <>
      <PageHead title="Operations">
        <p className="muted">
          Something done to many deliveries: saved before it begins, and it goes on after a restart.
        </p>
      </PageHead>
      {list.isPending && <Loading lines={8} />}
      {list.error && !list.data && <Trouble error={list.error} retry={() => void list.refetch()} />}
      {list.data && all.length === 0 && (
        <Empty title="Nobody has started one yet">
          Search <Link href="/deliveries?q=status%3Adead">deliveries</Link>, then act on all that
          match.
        </Empty>
      )}
      {open.length > 0 && (
        <Section title="Under way" note={plural(open.length, "operation")}>
          <div className="cards">
            {open.map((one) => (
              <Card key={one.id} one={one} />
            ))}
          </div>
        </Section>
      )}
      {ended.length > 0 && (
        <Section title="Ended">
          <History items={ended} />
        </Section>
      )}
      <Older list={list} />
    </>
  );
}

function Card({ one }: { one: Operation }) {
  const { tone, shape, word, says } = standing(one);
  const { done, of } = handled(one);
  return (
    <article className="card">
      <p className="lane-line">
        <Link href={links.operation(one.id)} className="card-title">
          {titled(one)}
        </Link>
        <Label tone={tone} shape={shape} text={word} />
        <span className="num muted">
          {count(done)} of {count(of)}
        </span>
      </p>
      {says && <p className={one.state === "paused" ? "tone-warn" : "muted"}>{says}</p>}
      <Share parts={parts(one)} of={of} label="Progress" />
      <p className="muted">
        {one.actor}, <Time at={one.created_at} />: {one.reason}
      </p>
    </article>
  );
}

function History({ items }: { items: Operation[] }) {
  return (
    <Table
      label="Operations that have ended, newest first"
      columns={[
        "Operation",
        "State",
        ["Changed", "right"],
        ["Delivered", "right"],
        ["Failed again", "right"],
        ["Skipped", "right"],
        ["Why", "grow"],
        "Who",
        ["Ended", "right"],
      ]}
    >
      {items.map((one) => (
        <tr key={one.id}>
          <th scope="row">
            <Link href={links.operation(one.id)}>{titled(one)}</Link>
          </th>
          <td>
            <State one={one} />
          </td>
          <td data-label="changed" className="right num">
            {count(one.changed)}
          </td>
          <td data-label="delivered" className="right num">
            {one.kind === "redrive" ? count(one.delivered) : <span className="muted">–</span>}
          </td>
          <td data-label="failed" className="right num">
            {one.kind === "redrive" ? count(one.failed) : <span className="muted">–</span>}
          </td>
          <td data-label="skipped" className="right num">
            {count(one.skipped)}
          </td>
          <td className="grow">
            <span className="clip" title={one.reason}>
              {one.reason}
            </span>
          </td>
          <td>{one.actor}</td>
          <td data-label="ended" className="right">
            <Time at={one.ended_at} />
          </td>
        </tr>
      ))}
    </Table>
  );
}

function State({ one }: { one: Operation }) {
  const { tone, shape, word } = standing(one);
  return <Label tone={tone} shape={shape} text={word} />;
}
