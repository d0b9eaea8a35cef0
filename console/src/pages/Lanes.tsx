/** Every recipient's lane: how it stands, why it waits. */

import { TextInput } from "@mantine/core";
import { useSearchParams } from "wouter";
import { useRecipients } from "../api/queries";
import { PageHead } from "../app/PageHead";
import { tone } from "../logic/lanes";
import { plural } from "../logic/numbers";
import { LaneTable } from "../parts/LaneTable";
import { Asked, Empty } from "../parts/States";

const STATES = [
  ["", "All"],
  ["bad", "In trouble"],
  ["warn", "Recovering"],
  ["hold", "On hold"],
  ["ok", "Flowing"],
] as const;

export default function Lanes() {
  const lanes = useRecipients();
  const [params, setParams] = useSearchParams();
  const name = params.get("name") ?? "";
  const state = params.get("state") ?? "";

  function set(key: string, value: string) {
    setParams(
      (before) => {
        const next = new URLSearchParams(before);
        if (value) next.set(key, value);
        else next.delete(key);
        return next;
      },
      { replace: true },
    );
  }

  return (
    <>
      <PageHead title="Lanes">
        <p className="muted">
          Each recipient has one lane. While it is down its deliveries wait here and use no retries.
        </p>
      </PageHead>
      <div className="filters">
        <TextInput
          size="xs"
          label="Name"
          value={name}
          onChange={(event) => set("name", event.currentTarget.value)}
          placeholder="part of a name"
        />
        <fieldset className="choices">
          <legend>State</legend>
          {STATES.map(([value, label]) => (
            <button
              key={value}
              type="button"
              aria-pressed={state === value}
              onClick={() => set("state", value)}
            >
              {label}
              {lanes.data && value && (
                <span className="num muted">
                  {lanes.data.filter((lane) => tone(lane) === value).length}
                </span>
              )}
            </button>
          ))}
        </fieldset>
      </div>
      <Asked query={lanes}>
        {(all) => {
          const found = all.filter(
            (lane) => lane.recipient.includes(name) && (!state || tone(lane) === state),
          );
          if (found.length === 0) {
            return (
              <Empty title={all.length === 0 ? "No recipient is configured" : "No lane matches"}>
                {all.length > 0 && `None of ${plural(all.length, "lane")} is like that now.`}
              </Empty>
            );
          }
          return <LaneTable lanes={found} />;
        }}
      </Asked>
    </>
  );
}
