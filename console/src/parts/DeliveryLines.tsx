/** A few deliveries with what went wrong, to look at. */

import { Link } from "wouter";
import type { Delivery } from "../api/types";
import { links } from "../app/links";
import { short } from "../logic/words";
import { Time } from "../time/Time";
import { StatusLabel } from "./Status";
import { Table } from "./Table";

interface Props {
  items: Delivery[];
  label?: string;
}

export function DeliveryLines({ items, label = "Deliveries" }: Props) {
  return (
    <Table
      label={label}
      columns={["Status", "Delivery", "Recipient", ["Last trouble", "grow"], ["Changed", "right"]]}
    >
      {items.map((one) => (
        <tr key={one.id}>
          <td>
            <StatusLabel status={one.status} />
          </td>
          <td>
            <Link href={links.delivery(one.id)} className="mono" title={one.id}>
              {short(one.id)}
            </Link>
          </td>
          <td>{one.recipient}</td>
          <td className="grow">
            <span className="clip" title={one.reason ?? ""}>
              {one.reason ?? one.code ?? <span className="muted">–</span>}
            </span>
          </td>
          <td className="right">
            <Time at={one.updated_at} />
          </td>
        </tr>
      ))}
    </Table>
  );
}
