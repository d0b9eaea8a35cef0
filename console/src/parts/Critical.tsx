/** Urgent deliveries that fail: in review, or waiting for another try (S1.66). */

import { Link } from "wouter";
import { useCritical } from "../api/groups";
import type { CriticalPage } from "../api/types";
import { links } from "../app/links";
import { least } from "../logic/groups";
import { short } from "../logic/words";
import { Time } from "../time/Time";
import { Section } from "./Section";
import { Asked, Empty } from "./States";
import { StatusLabel } from "./Status";
import { Table } from "./Table";

const SHOWN = 6;

export function Critical() {
  const critical = useCritical(SHOWN);
  const page = critical.data;
  return (
    <Section
      title="Critical failures"
      note={page && note(page)}
      actions={<Link href={page ? inReview(page) : "/review"}>Those in review</Link>}
    >
      <Asked query={critical} lines={4}>
        {(found) =>
          found.items.length === 0 ? (
            <Empty title="Nothing urgent fails">
              No delivery of {above(found.priority)} is in review or waits after a failure.
            </Empty>
          ) : (
            <Lines page={found} />
          )
        }
      </Asked>
    </Section>
  );
}

function above(priority: number): string {
  return priority < 9 ? `priority ${priority} or above` : `priority ${priority}`;
}

function note(page: CriticalPage): string {
  const all = least(page.count, page.at_least);
  return page.count === 0 ? above(page.priority) : `${all} of ${above(page.priority)}`;
}

function inReview(page: CriticalPage): string {
  return links.search(`status:dead priority:>=${page.priority}`);
}

function Lines({ page }: { page: CriticalPage }) {
  return (
    <Table
      label="Urgent deliveries that fail"
      columns={[
        ["Priority", "right"],
        "Recipient",
        ["Reason", "grow"],
        "Status",
        ["Ended or due", "right"],
      ]}
    >
      {page.items.map((delivery) => (
        <tr key={delivery.id}>
          <td data-label="priority" className="right num">
            {delivery.priority}
          </td>
          <td>
            <Link href={links.lane(delivery.recipient)}>{delivery.recipient}</Link>
          </td>
          <td className="grow">
            <Link
              href={links.delivery(delivery.id)}
              className="clip"
              title={`${delivery.id}: ${delivery.reason ?? ""}`}
            >
              {delivery.reason ?? delivery.code ?? delivery.failure_class ?? short(delivery.id)}
            </Link>
          </td>
          <td>
            <StatusLabel status={delivery.status} />
          </td>
          <td className="right">
            {delivery.status === "dead" ? (
              <Time at={delivery.ended_at} />
            ) : (
              <Time at={delivery.due_at} as="until" past="due" />
            )}
          </td>
        </tr>
      ))}
    </Table>
  );
}
