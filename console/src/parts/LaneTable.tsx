/** Lanes as a table, trouble first: how each stands and why it waits. */

import { Link } from "wouter";
import type { Recipient } from "../api/types";
import { links } from "../app/links";
import { byTrouble, why } from "../logic/lanes";
import { count } from "../logic/numbers";
import { Time } from "../time/Time";
import { BreakerLabel } from "./Status";
import { Table } from "./Table";

export function LaneWhy({ lane }: { lane: Recipient }) {
  const found = why(lane);
  if (found === null) return <span className="muted hide-phone">flows</span>;
  return (
    <>
      <span className="clip" title={found.text}>
        {found.text}
      </span>
      {found.until && (
        <span className="why-until muted">
          {found.untilWord} <Time at={found.until} as="until" past="now" zone={lane.zone} />
        </span>
      )}
    </>
  );
}

function Deliveries({ lane, status, number }: { lane: Recipient; status: string; number: number }) {
  if (number === 0) return <span className="muted">0</span>;
  return (
    <Link href={links.deliveries({ status, recipient: lane.recipient })}>{count(number)}</Link>
  );
}

export function LaneTable({ lanes }: { lanes: Recipient[] }) {
  return (
    <Table
      label="Lanes, those in trouble first"
      columns={[
        "Recipient",
        "Breaker",
        ["Why it waits", "grow"],
        ["Waiting", "right"],
        ["Sending", "right"],
        ["Delivered", "right"],
        ["In review", "right"],
        ["Last success", "right"],
      ]}
    >
      {byTrouble(lanes).map((lane) => (
        <tr key={lane.recipient}>
          <th scope="row">
            <Link href={links.lane(lane.recipient)}>{lane.recipient}</Link>
          </th>
          <td>
            <BreakerLabel breaker={lane.breaker} paused={lane.paused !== null} />
          </td>
          <td className="grow why-cell">
            <LaneWhy lane={lane} />
          </td>
          <td data-label="waiting" className="right num">
            <Deliveries lane={lane} status="pending" number={lane.pending} />
          </td>
          <td data-label="sending" className="right num">
            {lane.in_flight}
            <span className="muted">/{lane.concurrency}</span>
          </td>
          <td data-label="delivered" className="right num">
            {count(lane.delivered)}
          </td>
          <td data-label="in review" className="right num">
            <Deliveries lane={lane} status="dead" number={lane.dead} />
          </td>
          <td data-label="last success" className="right">
            <Time at={lane.last_success_at} zone={lane.zone} none="never" />
          </td>
        </tr>
      ))}
    </Table>
  );
}
