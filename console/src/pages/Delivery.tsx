/** One delivery: where it stands, why not now, every try, and what a person can do. */

import { Button } from "@mantine/core";
import { useState } from "react";
import { Link, useParams } from "wouter";
import { useAttempts, useDelivery, useRecipient } from "../api/queries";
import type { Recipient, RetryEvent, Delivery as Shape } from "../api/types";
import { links } from "../app/links";
import { PageHead } from "../app/PageHead";
import { curl } from "../logic/curl";
import { span } from "../logic/numbers";
import { codeMeaning, gateWord, short } from "../logic/words";
import { type Act, ActDialog } from "../parts/ActDialog";
import { Copy } from "../parts/Copy";
import { type Fact, Facts } from "../parts/Facts";
import { Gates } from "../parts/Gates";
import { LineageOf } from "../parts/LineageOf";
import { People } from "../parts/People";
import { Section } from "../parts/Section";
import { Asked, Empty } from "../parts/States";
import { StatusLabel } from "../parts/Status";
import { Timeline } from "../parts/Timeline";
import { Time } from "../time/Time";
import { useNow } from "../time/useNow";
import { deliveryActs } from "./deliveryActs";

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
              <LineageOf id={id} />
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
          <NextTry delivery={delivery} zone={lane?.zone} />
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

/** When it goes next; what is due but held is not due: the gate that opens last says until when. */
function NextTry({ delivery, zone }: { delivery: Shape; zone?: string }) {
  const now = useNow();
  const { due_at, waiting } = delivery;
  const due = due_at !== null && Date.parse(due_at) <= now;
  if (due && waiting) {
    return (
      <span className="tone-hold">
        held: {gateWord(waiting.gate).toLowerCase()}
        {waiting.until && (
          <>
            , until <Time at={waiting.until} as="clock" zone={zone} />
          </>
        )}
      </span>
    );
  }
  return (
    <span className="muted">
      next try <Time at={due_at} as="until" zone={zone} none="when a gate opens" />, at the earliest
    </span>
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
      "Group",
      delivery.group && (
        <Link key="group" href={links.group(delivery.group)}>
          others that fail so
        </Link>
      ),
    ],
    ["Assignee", delivery.assignee],
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

interface ActionsProps {
  delivery: Shape;
  lane?: Recipient;
  ask: (act: Act) => void;
}

function Actions({ delivery, lane, ask }: ActionsProps) {
  return Object.entries(deliveryActs(delivery, lane)).map(([name, act], index) => (
    <Button
      key={name}
      size="xs"
      variant={index === 0 ? "filled" : "default"}
      onClick={() => ask(act)}
    >
      {name}
    </Button>
  ));
}
