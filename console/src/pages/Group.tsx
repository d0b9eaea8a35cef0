/** One failure group: what fails, since when and how often, why it is one, and what to do. */

import { Button } from "@mantine/core";
import { useState } from "react";
import { Link, useParams } from "wouter";
import { useGroup } from "../api/groups";
import type { GroupDetail } from "../api/types";
import { links } from "../app/links";
import { PageHead } from "../app/PageHead";
import {
  caused,
  GROUP_LOOKS,
  held,
  judged,
  least,
  named,
  ofGroup,
  presumed,
  tags,
  WINDOWS,
} from "../logic/groups";
import { count, percent, span, worth } from "../logic/numbers";
import { kindsFor } from "../logic/operations";
import { type Act, ActDialog } from "../parts/ActDialog";
import { Choices } from "../parts/Choices";
import { Copy } from "../parts/Copy";
import { DeliveryLines } from "../parts/DeliveryLines";
import { Facts } from "../parts/Facts";
import { OperationForm, type Wanted } from "../parts/OperationForm";
import { Notes } from "../parts/People";
import { Plot } from "../parts/Plot";
import { Section } from "../parts/Section";
import { Asked, Empty } from "../parts/States";
import { Label } from "../parts/Status";
import { Time } from "../time/Time";
import { groupActs } from "./groupActs";

type Window = "3h" | "24h" | "7d" | "30d";

export default function Group() {
  const { id = "" } = useParams<{ id: string }>();
  const [window, setWindow] = useState<Window>("24h");
  const group = useGroup(id, window);
  const [asked, setAsked] = useState<Act | null>(null);
  const [wanted, setWanted] = useState<Wanted | null>(null);
  return (
    <>
      <PageHead
        title={group.data ? named(group.data.line, "fingerprint") : "Group"}
        up={<Link href="/groups">Groups</Link>}
        actions={group.data && <Actions detail={group.data} ask={setAsked} bulk={setWanted} />}
      >
        {group.data && <Stands detail={group.data} />}
      </PageHead>
      <Asked query={group}>
        {(detail) => <Body detail={detail} window={window} choose={setWindow} />}
      </Asked>
      <ActDialog act={asked} close={() => setAsked(null)} />
      <OperationForm wanted={wanted} close={() => setWanted(null)} />
    </>
  );
}

interface ActionsProps {
  detail: GroupDetail;
  ask: (act: Act) => void;
  bulk: (wanted: Wanted) => void;
}

function Actions({ detail, ask, bulk }: ActionsProps) {
  const { group, line } = detail;
  const act = (status: "dead" | "pending") => {
    const q = ofGroup(group.id, status);
    const recipient = line.recipient ?? undefined;
    bulk({ q, what: "the group", kinds: kindsFor(q), recipient });
  };
  return (
    <>
      {line.dead > 0 && (
        <Button size="xs" onClick={() => act("dead")}>
          Redrive {least(line.dead, line.at_least)}
        </Button>
      )}
      {line.pending > 0 && (
        <Button size="xs" variant="default" onClick={() => act("pending")}>
          Act on {least(line.pending, line.at_least)} that retry
        </Button>
      )}
      {Object.entries(groupActs(group)).map(([name, one]) => (
        <Button key={name} size="xs" variant="default" onClick={() => ask(one)}>
          {name}
        </Button>
      ))}
    </>
  );
}

function Stands({ detail }: { detail: GroupDetail }) {
  const { group, line } = detail;
  return (
    <>
      <p className="lane-line">
        <Label {...GROUP_LOOKS[group.status]} />
        {tags({ ...line, nature: null }, "fingerprint").map((tag) => (
          <span key={tag} className="tag">
            {tag}
          </span>
        ))}
        {line.recipient && (
          <span>
            at <Link href={links.lane(line.recipient)}>{line.recipient}</Link>, step {line.step} of{" "}
            {line.flow && <Link href={links.flow(line.flow)}>{line.flow}</Link>}
          </span>
        )}
        {group.nature ? (
          <span>{judged({ nature: group.nature, actor: group.judged_by })}</span>
        ) : (
          line.presumed && <span>{presumed(line)}</span>
        )}
        <span>{caused(group)}</span>
        {group.resolutions > 0 && <span>{held(group)}</span>}
        <span className="muted">{group.owner ? `owner: ${group.owner}` : "nobody's"}</span>
        <span className="muted">
          seen first <Time at={line.first_seen_at} />, last <Time at={line.last_seen_at} />
        </span>
      </p>
      {group.why && (
        <p className="muted">
          {group.changed_by}: {group.why}
          {group.until && (
            <>
              {" "}
              (until <Time at={group.until} as="absolute" />)
            </>
          )}
        </p>
      )}
      <p className="id-line">
        <code>{group.id}</code>
        <Copy text={group.id} label="Copy id" />
      </p>
    </>
  );
}

interface BodyProps {
  detail: GroupDetail;
  window: Window;
  choose: (window: Window) => void;
}

function Body({ detail, window, choose }: BodyProps) {
  const { line, samples } = detail;
  const since = Date.parse(detail.since ?? "");
  const times = line.spark.map((_, index) => since + (index + 1) * detail.bucket_ms);
  return (
    <div className="with-side">
      <div>
        <Figures detail={detail} />
        <Section
          title="When it failed"
          actions={
            <Choices
              label="How far back"
              choices={WINDOWS}
              value={window}
              choose={(value) => choose(value as Window)}
              quiet
            />
          }
        >
          <Plot
            title={`Failed tries, each ${span(detail.bucket_ms)}`}
            times={times}
            stacked
            least={2}
            show={(value) => count(Math.round(value))}
            series={[{ name: "failed", tone: "bad", values: line.spark }]}
          />
        </Section>
        <Section
          title="Some of them"
          actions={<Link href={links.search(`group:${detail.group.id}`)}>All that fail so</Link>}
        >
          {samples.length === 0 ? (
            <Empty title="None fails any more">What failed so was delivered or given up.</Empty>
          ) : (
            <DeliveryLines items={samples} />
          )}
        </Section>
      </div>
      <aside>
        <Section title="Why these are one group">
          <Why detail={detail} />
        </Section>
        {detail.history.length > 0 && (
          <Section title="What people made of it">
            <Notes notes={detail.history} />
          </Section>
        )}
      </aside>
    </div>
  );
}

function Figures({ detail }: { detail: GroupDetail }) {
  const { line } = detail;
  const ended = line.recovered + line.lost;
  const figures: [string, string][] = [
    ["In review", least(line.dead, line.at_least)],
    ["Retrying", least(line.pending, line.at_least)],
    ["Value at risk", line.value_at_risk > 0 ? worth(line.value_at_risk) : "–"],
    ["Failed tries so far", count(line.failures)],
    ended > 0
      ? [`Recovered, of ${count(ended)}`, percent(line.recovered / ended)]
      : ["Recovered", "–"],
  ];
  return (
    <dl className="figures">
      {figures.map(([name, value]) => (
        <div key={name} className="figure">
          <dt>{name}</dt>
          <dd className="figure-value num">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Why({ detail }: { detail: GroupDetail }) {
  const { explanation } = detail;
  return (
    <>
      <p className="muted">{explanation.text}</p>
      <Facts
        facts={[
          ["Class", explanation.failure_class],
          ["Code", explanation.code],
          ["Masked reason", explanation.template && <code key="t">{explanation.template}</code>],
          ["Recipient", explanation.recipient],
          ["Flow", explanation.flow],
          ["Step", explanation.step],
          ["Method", `version ${explanation.version}`],
        ]}
      />
    </>
  );
}
