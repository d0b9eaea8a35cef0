/** What is different: this try beside the one before, or beside the last that succeeded there. */

import { useState } from "react";
import { useLastSuccess } from "../api/queries";
import type { RetryEvent } from "../api/types";
import { ALWAYS_DIFFERENT, diff } from "../logic/diff";
import { Scroll } from "./Scroll";
import { Loading } from "./States";

type Against = "none" | "before" | "success";

export function Compare({ event, before }: { event: RetryEvent; before: RetryEvent | undefined }) {
  const [against, setAgainst] = useState<Against>("none");
  const good = useLastSuccess(event.recipient, event.position, against === "success");
  const choices: [Against, string, boolean][] = [
    ["before", "the try before", before !== undefined],
    ["success", `the last success to ${event.recipient}`, event.outcome !== "success"],
  ];
  if (!choices.some(([, , there]) => there)) return null;
  return (
    <div className="compare">
      <fieldset className="choices">
        <legend>Compare with</legend>
        {choices
          .filter(([, , there]) => there)
          .map(([value, label]) => (
            <button
              key={value}
              type="button"
              aria-pressed={against === value}
              onClick={() => setAgainst(against === value ? "none" : value)}
            >
              {label}
            </button>
          ))}
      </fieldset>
      {against === "before" && before && <Changes old={before} now={event} />}
      {against === "success" && good.isPending && <Loading lines={3} />}
      {against === "success" && good.data === null && (
        <p className="muted">Nobody has seen a success there, as far as events go back.</p>
      )}
      {against === "success" && good.data && <Changes old={good.data} now={event} />}
    </div>
  );
}

function Changes({ old, now }: { old: RetryEvent; now: RetryEvent }) {
  const changes = diff(old, now, ALWAYS_DIFFERENT);
  if (changes.length === 0) return <p className="muted">Nothing that would explain it differs.</p>;
  return (
    <Scroll label="Differences">
      <table className="table diff">
        <thead>
          <tr>
            <th scope="col">What</th>
            <th scope="col">Then</th>
            <th scope="col">This try</th>
          </tr>
        </thead>
        <tbody>
          {changes.map((change) => (
            <tr key={change.path}>
              <th scope="row">
                <code>{change.path}</code>
              </th>
              <td>{change.before}</td>
              <td>{change.after}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}
