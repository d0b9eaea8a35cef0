/** One flow: what holds for each step, where each value comes from, and when retries go out. */

import { Link, useParams } from "wouter";
import { useFlow } from "../api/queries";
import type { StepPolicy } from "../api/types";
import { links } from "../app/links";
import { PageHead } from "../app/PageHead";
import { useParamState } from "../app/params";
import { seconds } from "../logic/numbers";
import { MEANINGS, SECONDS } from "../logic/policy";
import { Schedule } from "../parts/Schedule";
import { Section } from "../parts/Section";
import { Asked, Empty } from "../parts/States";
import { Table } from "../parts/Table";

export default function Flow() {
  const { name = "" } = useParams<{ name: string }>();
  const flow = useFlow(name);
  const params = useParamState();
  return (
    <>
      <PageHead title={name} up={<Link href="/flows">Flows and policies</Link>}>
        {flow.data && (
          <p className="muted">
            {flow.data.mode === "sequential"
              ? "Sequential: a step starts when the one before succeeded."
              : "Parallel: every step delivers, independently of the others."}{" "}
            <Link href={links.deliveries({ flow: name })}>Its deliveries</Link>
          </p>
        )}
      </PageHead>
      <Asked query={flow}>
        {(found) => {
          const wanted = params.get("step") || found.steps[0]?.step;
          const step = found.steps.find((one) => one.step === wanted) ?? found.steps[0];
          if (!step) return <Empty title="This flow has no step" />;
          return (
            <>
              <div className="filters">
                <fieldset className="choices">
                  <legend>Step</legend>
                  {found.steps.map((one) => (
                    <button
                      key={one.step}
                      type="button"
                      aria-pressed={one.step === step.step}
                      onClick={() => params.set({ step: one.step })}
                    >
                      {one.step}
                    </button>
                  ))}
                </fieldset>
              </div>
              <Step step={step} />
            </>
          );
        }}
      </Asked>
    </>
  );
}

function Step({ step }: { step: StepPolicy }) {
  const { policy } = step;
  return (
    <>
      <Section
        title="When retries go out"
        note={
          <>
            to <Link href={links.lane(step.recipient)}>{step.recipient}</Link>, while its lane is
            open; from the first try
          </>
        }
      >
        <Schedule policy={policy} schedule={step.schedule} />
      </Section>
      <Section title="Policy" note={<code>{policy.id}</code>}>
        <PolicyTable policy={policy} />
      </Section>
    </>
  );
}

function PolicyTable({ policy }: { policy: StepPolicy["policy"] }) {
  const { origin, id: _, ...values } = policy;
  return (
    <Table label="Policy" columns={["Field", "Value", "Comes from", ["Meaning", "grow"]]}>
      {Object.entries(values).map(([name, value]) => {
        const from = origin[name] ?? "default";
        return (
          <tr key={name} className={from === "default" ? "quiet-row" : undefined}>
            <th scope="row">
              <code>{name}</code>
            </th>
            <td className="num value">{shown(name, value)}</td>
            <td data-label="from">{from}</td>
            <td className="grow muted">{MEANINGS[name]}</td>
          </tr>
        );
      })}
    </Table>
  );
}

function shown(name: string, value: unknown) {
  if (typeof value === "number") return SECONDS.has(name) ? seconds(value) : value;
  if (typeof value === "string") return value;
  if (value === null || (Array.isArray(value) && value.length === 0)) {
    return <span className="muted">none</span>;
  }
  const entries = Array.isArray(value)
    ? value.map((one) => (typeof one === "string" ? one : JSON.stringify(one)))
    : Object.entries(value as object)
        .filter(([, each]) => each !== null)
        .map(([key, each]) => `${key} = ${String(each)}`);
  if (entries.length === 0) return <span className="muted">none</span>;
  return (
    <ul className="values">
      {entries.map((one) => (
        <li key={one}>
          <code>{one}</code>
        </li>
      ))}
    </ul>
  );
}
