/** The flows: what goes where. */

import { Link } from "wouter";
import { useFlows } from "../api/queries";
import { links } from "../app/links";
import { PageHead } from "../app/PageHead";
import { Asked, Empty } from "../parts/States";
import { Table } from "../parts/Table";

export default function Flows() {
  const flows = useFlows();
  return (
    <>
      <PageHead title="Flows and policies">
        <p className="muted">
          A flow makes one delivery per step. Policies are resolved field by field: step, flow,
          recipient, account, global.
        </p>
      </PageHead>
      <Asked query={flows}>
        {(found) =>
          found.length === 0 ? (
            <Empty title="No flow is configured">
              Flows stand in <code>holdfast.toml</code>.
            </Empty>
          ) : (
            <Table
              label="Flows"
              columns={["Flow", "Mode", ["Steps", "grow"], "Account", "Deliveries"]}
            >
              {found.map((flow) => (
                <tr key={flow.name}>
                  <th scope="row">
                    <Link href={links.flow(flow.name)}>{flow.name}</Link>
                  </th>
                  <td>{flow.mode}</td>
                  <td className="grow steps">
                    {flow.steps.map((step, index) => (
                      <span key={step.name}>
                        {index > 0 && (
                          <span className="muted">
                            {flow.mode === "sequential" ? " then " : " and "}
                          </span>
                        )}
                        <Link href={links.lane(step.recipient)}>{step.recipient}</Link>
                      </span>
                    ))}
                  </td>
                  <td>{flow.account}</td>
                  <td>
                    <Link href={links.deliveries({ flow: flow.name })}>show</Link>
                  </td>
                </tr>
              ))}
            </Table>
          )
        }
      </Asked>
    </>
  );
}
