/** Causes of failure that are new or came back, the newest first (S1.63). */

import { Link } from "wouter";
import { useAlerts } from "../api/groups";
import type { Alert } from "../api/types";
import { links } from "../app/links";
import { GROUP_LOOKS, least } from "../logic/groups";
import { plural } from "../logic/numbers";
import { Time } from "../time/Time";
import { Section } from "./Section";
import { Asked, Empty } from "./States";
import { Label } from "./Status";
import { Table } from "./Table";

const SHOWN = 6;

export function Alerts() {
  const alerts = useAlerts(SHOWN);
  return (
    <Section
      title="New failures"
      note="new or back within a day"
      actions={<Link href="/groups">All groups</Link>}
    >
      <Asked query={alerts} lines={4}>
        {(found) => (
          <>
            {found.items.length > 0 && <Lines alerts={found.items} />}
            {found.items.length === 0 && !found.at_least && (
              <Empty title="Nothing new fails">
                No cause is new, and none that was resolved came back.
              </Empty>
            )}
            {found.at_least && <p className="list-note">there may be older ones</p>}
          </>
        )}
      </Asked>
    </Section>
  );
}

function Lines({ alerts }: { alerts: Alert[] }) {
  return (
    <Table
      label="Failures that are new or came back"
      columns={["", "Recipient", ["Reason", "grow"], ["Fails", "right"], ["Since", "right"]]}
    >
      {alerts.map((alert) => (
        <tr key={alert.group}>
          <td>
            <Kind kind={alert.kind} />
          </td>
          <td>
            <Link href={links.lane(alert.recipient)}>{alert.recipient}</Link>
          </td>
          <td className="grow">
            <span className="came">
              {alert.code && <span className="tag num">{alert.code}</span>}
              <Link href={links.group(alert.group)} className="clip" title={alert.template}>
                {alert.template || alert.code || alert.failure_class || "nothing was tried"}
              </Link>
              <span className="tag hide-phone">{alert.step}</span>
              {alert.owner && <span className="tag hide-phone">{alert.owner}</span>}
            </span>
          </td>
          <td
            data-label="fail"
            className="right num"
            title={`${alert.dead} in review, ${alert.pending} wait for another try; ${plural(alert.failures, "failed try", "failed tries")}`}
          >
            {least(alert.dead + alert.pending, alert.at_least)}
          </td>
          <td className="right">
            <Time at={alert.at} />
          </td>
        </tr>
      ))}
    </Table>
  );
}

function Kind({ kind }: { kind: Alert["kind"] }) {
  if (kind === "regressed") return <Label {...GROUP_LOOKS.regressed} />;
  return <Label tone="warn" shape="full" text="new" />;
}
