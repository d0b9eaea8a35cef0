/** One delivery: where it stands, why not now, every try, and what a person can do. */

import { Button, Select, TextInput } from "@mantine/core";
import { useState } from "react";
import { Link, useParams } from "wouter";
import { act } from "../api/actions";
import { useAttempts, useAudit, useDelivery, useRecipient } from "../api/queries";
import type { Recipient, RetryEvent, Delivery as Shape } from "../api/types";
import { links } from "../app/links";
import { PageHead } from "../app/PageHead";
import { curl } from "../logic/curl";
import { span } from "../logic/numbers";
import { codeMeaning, short } from "../logic/words";
import { type Act, ActDialog } from "../parts/ActDialog";
import { Copy } from "../parts/Copy";
import { type Fact, Facts } from "../parts/Facts";
import { Gates } from "../parts/Gates";
import { Section } from "../parts/Section";
import { Asked, Empty } from "../parts/States";
import { StatusLabel } from "../parts/Status";
import { Timeline } from "../parts/Timeline";
import { Time } from "../time/Time";

export default function Delivery() {
  const { id = "" } = useParams<{ id: string }>();
  const delivery = useDelivery(id);
  const attempts = useAttempts(id);
  const lane = useRecipient(delivery.data?.recipient ?? "", delivery.data !== undefined);
  const [asked, setAsked] = useState<Act | null>(null);
  const tries = attempts.data?.items ?? [];
  return (
    <>
      <PageHead
        title={`Delivery ${short(id)}`}
        up={<Link href="/deliveries">Deliveries</Link>}
        actions={
          delivery.data && <Actions delivery={delivery.data} lane={lane.data} ask={setAsked} />
        }
      >
        {delivery.data && <Standing delivery={delivery.data} tries={tries} lane={lane.data} />}
      </PageHead>
      <Asked query={delivery}>
        {(found) => (
          <div className="with-side">
            <div>
              {found.status === "pending" && found.why_not_now && (
                <Section title="Why not now">
                  <Gates gates={found.why_not_now} zone={lane.data?.zone} />
                </Section>
              )}
              <Section title="Tries" note={tries.length > 0 && <Spent delivery={found} />}>
                <Asked query={attempts}>
                  {(page) =>
                    page.items.length === 0 ? (
                      <Empty title="Not tried yet" />
                    ) : (
                      <Timeline events={page.items} zone={lane.data?.zone} />
                    )
                  }
                </Asked>
              </Section>
            </div>
            <aside>
              <Section title="Facts">
                <About delivery={found} zone={lane.data?.zone} />
              </Section>
              <People id={id} />
            </aside>
          </div>
        )}
      </Asked>
      <ActDialog act={asked} close={() => setAsked(null)} />
    </>
  );
}

function Spent({ delivery }: { delivery: Shape }) {
  const retries = Math.max(0, delivery.counted - 1);
  return (
    <>
      {retries} {retries === 1 ? "retry" : "retries"} used, {span(delivery.active_ms)} active
    </>
  );
}

/** One line: status, to whom, and what is next or why it ended. */
function Standing({
  delivery,
  tries,
  lane,
}: {
  delivery: Shape;
  tries: RetryEvent[];
  lane?: Recipient;
}) {
  const endpoint =
    lane?.endpoints.find((one) => one.name === delivery.endpoint) ?? lane?.endpoints[0];
  return (
    <>
      <p className="lane-line">
        <StatusLabel status={delivery.status} />
        <span>
          to <Link href={links.lane(delivery.recipient)}>{delivery.recipient}</Link>, step{" "}
          {delivery.step} of <Link href={links.flow(delivery.flow)}>{delivery.flow}</Link>
        </span>
        {delivery.status === "pending" ? (
          <span className="muted">
            next try{" "}
            <Time at={delivery.due_at} as="until" zone={lane?.zone} none="when a gate opens" />, at
            the earliest
          </span>
        ) : (
          delivery.code && (
            <span title={delivery.code}>
              <code>{delivery.code}</code>{" "}
              <span className="muted">{codeMeaning(delivery.code)}</span>
            </span>
          )
        )}
      </p>
      <p className="id-line">
        <code>{delivery.id}</code>
        <Copy text={delivery.id} label="Copy id" />
        <Copy text={() => curl(delivery, endpoint, tries.at(-1))} label="Copy as curl" />
      </p>
    </>
  );
}

function About({ delivery, zone }: { delivery: Shape; zone?: string }) {
  const time = (at: string | null, none?: string) => (
    <Time at={at} as="absolute" zone={zone} none={none} />
  );
  const facts: Fact[] = [
    [
      "Message",
      <Link key="message" href={links.message(delivery.message_id)} className="mono">
        {short(delivery.message_id)}
      </Link>,
    ],
    ["Accepted", time(delivery.created_at)],
    ["First try", time(delivery.first_attempt_at, "not yet")],
    ["Due", delivery.status === "pending" ? time(delivery.due_at, "not by time alone") : null],
    ["Ended", delivery.ended_at && time(delivery.ended_at)],
    ["Expires", delivery.status === "pending" ? time(delivery.expires_at, "never") : null],
    ["Priority", `${delivery.priority} of 9`],
    ["Generation", delivery.generation > 0 ? `${delivery.generation} (redriven)` : null],
    ["Last trouble", delivery.reason],
    [
      "In doubt",
      delivery.in_doubt && delivery.status !== "delivered"
        ? "a send may have arrived without an answer"
        : null,
    ],
    ["Endpoint", delivery.endpoint],
    [
      "After",
      delivery.predecessor && (
        <Link key="before" href={links.delivery(delivery.predecessor)} className="mono">
          {short(delivery.predecessor)}
        </Link>
      ),
    ],
    [
      "Own policy",
      delivery.policy ? <code key="policy">{JSON.stringify(delivery.policy)}</code> : null,
    ],
    ["Account", delivery.account],
  ];
  return <Facts facts={facts} />;
}

function People({ id }: { id: string }) {
  const notes = useAudit(id, 50);
  if (!notes.data || notes.data.length === 0) return null;
  return (
    <Section title="What people did">
      <ul className="notes">
        {notes.data.map((note) => (
          <li key={`${note.at} ${note.action}`}>
            <p>
              <b>{note.actor}</b> {note.action.replaceAll("_", " ")} <Time at={note.at} />
            </p>
            <p className="muted">{note.reason}</p>
          </li>
        ))}
      </ul>
    </Section>
  );
}

interface ActionsProps {
  delivery: Shape;
  lane?: Recipient;
  ask: (act: Act) => void;
}

function Actions({ delivery, lane, ask }: ActionsProps) {
  const what = short(delivery.id);
  const { id, status } = delivery;
  const acts: Record<string, () => void> = {};
  if (status === "dead") acts.Redrive = () => ask(redrive(delivery, lane));
  if (status === "pending") acts.Reschedule = () => ask(reschedule(delivery));
  if (status === "discarded") {
    acts["Undo discard"] = () =>
      ask({
        verb: "Undo discard",
        what,
        consequence: "It returns to the review queue; nothing is sent until somebody redrives it.",
        done: "Back in review",
        run: (reason) => act.undo(id, reason),
      });
  }
  if (status === "dead" || status === "discarded") {
    acts["Mark delivered"] = () =>
      ask({
        verb: "Mark delivered",
        what,
        consequence: "It counts as delivered although Holdfast has no proof. Nothing is sent.",
        reasonLabel: "Proof",
        done: "Marked delivered",
        run: (reason) => act.prove(id, reason),
      });
  }
  if (status === "dead") {
    acts.Discard = () =>
      ask({
        verb: "Discard",
        what,
        danger: true,
        consequence: "It is given up. It can be returned to review as long as its row is kept.",
        done: "Discarded",
        run: (reason) => act.discard(id, reason),
      });
  }
  if (status === "pending") {
    acts.Cancel = () =>
      ask({
        verb: "Cancel delivery",
        what,
        danger: true,
        consequence: "It is given up. A send that is under way may still arrive, and then counts.",
        done: "Cancelled",
        run: (reason) => act.cancel(id, reason),
      });
  }
  return Object.entries(acts).map(([name, run], index) => (
    <Button key={name} size="xs" variant={index === 0 ? "filled" : "default"} onClick={run}>
      {name}
    </Button>
  ));
}

function redrive(delivery: Shape, lane: Recipient | undefined): Act {
  let endpoint: string | undefined;
  const endpoints = lane?.endpoints ?? [];
  return {
    verb: "Redrive",
    what: short(delivery.id),
    consequence: `It returns to the lane of ${delivery.recipient} with all its retries, under the same key: a partner that has it already will call it a duplicate.`,
    done: "Returned to its lane",
    fields: endpoints.length > 1 && (
      <Select
        label="Endpoint"
        data={endpoints.map((one) => one.name)}
        placeholder="the usual one"
        clearable
        onChange={(value) => {
          endpoint = value ?? undefined;
        }}
      />
    ),
    run: (reason) => act.redrive(delivery.id, reason, endpoint),
  };
}

function reschedule(delivery: Shape): Act {
  let at = "";
  return {
    verb: "Reschedule",
    what: short(delivery.id),
    consequence: "The earliest next send is moved; the lane may still hold it longer.",
    done: "Rescheduled",
    fields: (
      <TextInput
        type="datetime-local"
        step={1}
        label="Not before"
        description="In this browser's time; empty: now."
        onChange={(event) => {
          at = event.currentTarget.value;
        }}
      />
    ),
    run: (reason) =>
      act.reschedule(delivery.id, reason, (at ? new Date(at) : new Date()).toISOString()),
  };
}
