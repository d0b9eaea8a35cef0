/** One delivery of the review queue: why it is dead, its payload, and what a person decides. */

import { Button } from "@mantine/core";
import { useState } from "react";
import { Link, useLocation, useParams } from "wouter";
import { useAttempts, useDelivery, useRecipient } from "../api/queries";
import { reveal, type Seen, useReview } from "../api/review";
import type { Delivery } from "../api/types";
import { useKeys } from "../app/keys";
import { links } from "../app/links";
import { PageHead } from "../app/PageHead";
import { useParamState } from "../app/params";
import { worth } from "../logic/numbers";
import { codeMeaning, short } from "../logic/words";
import { type Act, ActDialog } from "../parts/ActDialog";
import { Facts } from "../parts/Facts";
import { LineageOf } from "../parts/LineageOf";
import { PayloadEditor } from "../parts/PayloadEditor";
import { People } from "../parts/People";
import { Section } from "../parts/Section";
import { Asked, Empty } from "../parts/States";
import { StatusLabel } from "../parts/Status";
import { Timeline } from "../parts/Timeline";
import { Time } from "../time/Time";
import { deliveryActs } from "./deliveryActs";

export default function ReviewItem() {
  const { id = "" } = useParams<{ id: string }>();
  const delivery = useDelivery(id);
  const lane = useRecipient(delivery.data?.recipient ?? "", delivery.data !== undefined);
  const [asked, setAsked] = useState<Act | null>(null);
  return (
    <>
      <PageHead
        title={`Review ${short(id)}`}
        up={<Neighbours id={id} />}
        actions={
          delivery.data &&
          Object.entries(deliveryActs(delivery.data, lane.data)).map(([name, act], index) => (
            <Button
              key={name}
              size="xs"
              variant={index === 0 ? "filled" : "default"}
              onClick={() => setAsked(act)}
            >
              {name}
            </Button>
          ))
        }
      >
        {delivery.data && <Stands delivery={delivery.data} />}
      </PageHead>
      <Asked query={delivery}>
        {(found) => (
          <div className="with-side">
            <div>
              {/* Another delivery has another payload: nothing of the last may stay. */}
              <Payload
                key={found.id}
                delivery={found}
                names={(lane.data?.endpoints ?? []).map((one) => one.name)}
              />
              <LineageOf id={id} />
              <Tries id={id} zone={lane.data?.zone} />
            </div>
            <aside>
              <Section title="Facts">
                <About delivery={found} />
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

/** The way back to the queue, and to what is above and below this one; `k` and `j`. */
function Neighbours({ id }: { id: string }) {
  const assignee = useParamState().get("assignee");
  const [, go] = useLocation();
  const queue = useReview(assignee, "");
  const ids = queue.data?.pages.flatMap((page) => page.items.map((item) => item.id)) ?? [];
  const at = ids.indexOf(id);
  // One that has just left the queue was between those around its id: the list goes down by id.
  const below = at >= 0 ? ids[at + 1] : ids.find((one) => one < id);
  const above = at >= 0 ? ids[at - 1] : ids.findLast((one) => one > id);
  const within = assignee ? `?${new URLSearchParams({ assignee })}` : "";
  useKeys({
    ...(below && { j: () => go(links.review(below, within)) }),
    ...(above && { k: () => go(links.review(above, within)) }),
  });
  return (
    <>
      <Link href={`/review${within}`}>Review</Link>
      {above && (
        <>
          {" "}
          · <Link href={links.review(above, within)}>newer (k)</Link>
        </>
      )}
      {below && (
        <>
          {" "}
          · <Link href={links.review(below, within)}>older (j)</Link>
        </>
      )}
    </>
  );
}

function Stands({ delivery }: { delivery: Delivery }) {
  return (
    <p className="lane-line">
      <StatusLabel status={delivery.status} />
      <span>
        to <Link href={links.lane(delivery.recipient)}>{delivery.recipient}</Link>, step{" "}
        {delivery.step} of <Link href={links.flow(delivery.flow)}>{delivery.flow}</Link>
      </span>
      {delivery.code && (
        <span title={delivery.code}>
          <code>{delivery.code}</code> <span className="muted">{codeMeaning(delivery.code)}</span>
        </span>
      )}
      <span className="muted">
        {delivery.assignee ? `with ${delivery.assignee}` : "with nobody"}
      </span>
    </p>
  );
}

function Payload({ delivery, names }: { delivery: Delivery; names: string[] }) {
  const [seen, setSeen] = useState<Seen | null>(null);
  const [asked, setAsked] = useState<Act | null>(null);
  const show = () =>
    setAsked({
      verb: "Show",
      what: `the payload of ${short(delivery.id)}`,
      consequence: "You see what was sent, but for what its flow masks. That you looked is noted.",
      done: "Shown",
      run: async (reason) => setSeen(await reveal(delivery.id, reason)),
    });
  return (
    <Section title="Payload" note={seen ? "as it was sent" : ""}>
      {seen ? (
        <PayloadEditor delivery={delivery} seen={seen} names={names} />
      ) : (
        <Empty title="Not shown">
          <Button size="xs" variant="default" onClick={show}>
            Show and edit
          </Button>
        </Empty>
      )}
      <ActDialog act={asked} close={() => setAsked(null)} />
    </Section>
  );
}

function Tries({ id, zone }: { id: string; zone?: string }) {
  const attempts = useAttempts(id);
  return (
    <Section
      title="Tries"
      actions={<Link href={links.delivery(id)}>The delivery with all its facts</Link>}
    >
      <Asked query={attempts}>
        {(page) =>
          page.items.length === 0 ? (
            <Empty title="Not tried" />
          ) : (
            <Timeline events={page.items} zone={zone} />
          )
        }
      </Asked>
    </Section>
  );
}

function About({ delivery }: { delivery: Delivery }) {
  return (
    <Facts
      facts={[
        ["Why", delivery.reason],
        ["Value", delivery.value > 0 ? worth(delivery.value) : null],
        ["Priority", `${delivery.priority} of 9`],
        ["Tries", delivery.attempts],
        ["In review since", <Time key="since" at={delivery.ended_at} />],
        ["In doubt", delivery.in_doubt ? "a send may have arrived without an answer" : null],
        [
          "Group",
          delivery.group && (
            <Link key="group" href={links.group(delivery.group)}>
              others that fail so
            </Link>
          ),
        ],
        [
          "Message",
          <Link key="message" href={links.message(delivery.message_id)} className="mono">
            {short(delivery.message_id)}
          </Link>,
        ],
      ]}
    />
  );
}
