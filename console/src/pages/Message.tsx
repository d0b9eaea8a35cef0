/** A message: what arrived, without its payload, and what became of it. */

import { Button } from "@mantine/core";
import { useState } from "react";
import { Link, useParams } from "wouter";
import { act } from "../api/actions";
import { useMessage } from "../api/queries";
import type { Message as Shape } from "../api/types";
import { links } from "../app/links";
import { PageHead } from "../app/PageHead";
import { bytes } from "../logic/numbers";
import { short } from "../logic/words";
import { type Act, ActDialog } from "../parts/ActDialog";
import { Copy } from "../parts/Copy";
import { Facts } from "../parts/Facts";
import { Json } from "../parts/Json";
import { Reveal } from "../parts/Reveal";
import { Scroll } from "../parts/Scroll";
import { Section } from "../parts/Section";
import { Asked } from "../parts/States";
import { StatusLabel } from "../parts/Status";
import { Time } from "../time/Time";

export default function Message() {
  const { id = "" } = useParams<{ id: string }>();
  const message = useMessage(id);
  const [asked, setAsked] = useState<Act | null>(null);
  return (
    <>
      <PageHead
        title={`Message ${short(id)}`}
        up={<Link href="/deliveries">Deliveries</Link>}
        actions={message.data && <Actions message={message.data} ask={setAsked} />}
      >
        <p>
          <code>{id}</code> <Copy text={id} label="Copy id" />
        </p>
      </PageHead>
      <Asked query={message}>{(found) => <Body message={found} />}</Asked>
      <ActDialog act={asked} close={() => setAsked(null)} />
    </>
  );
}

function Actions({ message, ask }: { message: Shape; ask: (act: Act) => void }) {
  return (
    <>
      <Button
        size="xs"
        variant="default"
        disabled={!message.payload_kept}
        title={message.payload_kept ? undefined : "Its payload is purged"}
        onClick={() =>
          ask({
            verb: "Replay",
            what: short(message.id),
            consequence:
              "New deliveries are made from this message, with new keys: partners will take them for new.",
            done: "Replayed",
            run: (reason) => act.replay(message.id, reason),
          })
        }
      >
        Replay
      </Button>
      <Button
        size="xs"
        variant="default"
        onClick={() =>
          ask({
            verb: "Revoke consent",
            what: short(message.id),
            danger: true,
            consequence: "Whatever of this message still waits is discarded, for good.",
            done: "The consent is revoked",
            run: (reason) => act.revoke(message.id, reason),
          })
        }
      >
        Revoke consent
      </Button>
    </>
  );
}

function Body({ message }: { message: Shape }) {
  const first = message.deliveries[0]; // all deliveries of a flow are masked alike
  return (
    <>
      <Section title="What arrived">
        <Facts
          facts={[
            [
              "Flow",
              <Link key="flow" href={links.flow(message.flow)}>
                {message.flow}
              </Link>,
            ],
            ["Accepted", <Time key="at" at={message.created_at} as="absolute" />],
            ["Key", message.key && <code key="key">{message.key}</code>],
            ["Size", bytes(message.size)],
            [
              "Payload",
              message.payload_kept && first !== undefined ? (
                <Reveal key="payload" delivery={first.id} what={short(message.id)} />
              ) : (
                "purged"
              ),
            ],
            ["Value", message.value],
            ["Priority", `${message.priority} of 9`],
            ["Quality", message.quality],
            ["Region", message.region],
            [
              "Not before",
              message.not_before && <Time key="nb" at={message.not_before} as="absolute" />,
            ],
            [
              "Expires",
              <Time key="exp" at={message.expires_at} as="absolute" none="with its deliveries" />,
            ],
          ]}
        />
        {message.consent !== null && (
          <Json text={JSON.stringify(message.consent)} label="Consent record" />
        )}
      </Section>
      <Section title="Deliveries">
        <Scroll label="Deliveries of this message">
          <table className="table stack-phone">
            <thead>
              <tr>
                <th scope="col">Status</th>
                <th scope="col">Delivery</th>
                <th scope="col">Step</th>
                <th scope="col">Recipient</th>
                <th scope="col" className="right">
                  Tries
                </th>
                <th scope="col" className="grow">
                  Last trouble
                </th>
              </tr>
            </thead>
            <tbody>
              {message.deliveries.map((delivery) => (
                <tr key={delivery.id}>
                  <td>
                    <StatusLabel status={delivery.status} />
                  </td>
                  <td>
                    <Link href={links.delivery(delivery.id)} className="mono">
                      {short(delivery.id)}
                    </Link>
                  </td>
                  <td>{delivery.step}</td>
                  <td>
                    <Link href={links.lane(delivery.recipient)}>{delivery.recipient}</Link>
                  </td>
                  <td className="right num">{delivery.attempts}</td>
                  <td className="grow">{delivery.reason ?? <span className="muted">–</span>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      </Section>
    </>
  );
}
