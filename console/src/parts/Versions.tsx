/** Versions of the configuration: who wrote each, what it changes, and another person's answer. */

import { Button, TextInput } from "@mantine/core";
import { Fragment, useState } from "react";
import { answer, useConfiguration, useVersions } from "../api/configurations";
import { useMe } from "../api/me";
import type { Version } from "../api/types";
import { isAuthor, valueText } from "../logic/versions";
import { Time } from "../time/Time";
import { type Act, ActDialog } from "./ActDialog";
import { Older } from "./Older";
import { Scroll } from "./Scroll";
import { Empty, Loading, Trouble } from "./States";
import { StageLabel } from "./Status";
import { type Column, Table } from "./Table";

const COLUMNS: Column[] = [
  "Version",
  "Stage",
  "By",
  "Written",
  ["Why", "grow"],
  "Approved by",
  "Look",
];

export function Versions() {
  const asked = useVersions();
  const [open, setOpen] = useState<number | null>(null);
  const [act, setAct] = useState<Act | null>(null);
  if (asked.data === undefined) {
    return asked.error ? <Trouble error={asked.error} /> : <Loading lines={3} />;
  }
  const found = asked.data.pages.flatMap((page) => page.items);
  if (found.length === 0) {
    return (
      <Empty title="No version yet">
        The first start of <code>holdfast up</code> writes one, and each with another file.
      </Empty>
    );
  }
  return (
    <>
      <Table label="Versions of the configuration" columns={COLUMNS}>
        {found.map((version) => (
          <Fragment key={version.number}>
            <Line
              version={version}
              open={open === version.number}
              toggle={() => setOpen(open === version.number ? null : version.number)}
            />
            {open === version.number && (
              <tr>
                <td colSpan={COLUMNS.length}>
                  <Changes version={version} ask={setAct} />
                </td>
              </tr>
            )}
          </Fragment>
        ))}
      </Table>
      <Older list={asked} label="More" />
      <ActDialog act={act} close={() => setAct(null)} />
    </>
  );
}

function Line({ version, open, toggle }: { version: Version; open: boolean; toggle: () => void }) {
  return (
    <tr>
      <td className="num">{version.number}</td>
      <td>
        <StageLabel stage={version.stage} />
      </td>
      <td>{version.author}</td>
      <td>
        <Time at={version.at} />
      </td>
      <td className="grow">
        <span className="clip" title={version.reason}>
          {version.reason}
        </span>
      </td>
      <td>{version.answer === "approved" ? version.approver : "–"}</td>
      <td>
        <button
          type="button"
          className="plain"
          aria-expanded={open}
          aria-label={`Changes of version ${version.number}`}
          onClick={toggle}
        >
          Changes
        </button>
      </td>
    </tr>
  );
}

function Changes({ version, ask }: { version: Version; ask: (act: Act) => void }) {
  const asked = useConfiguration(version.number);
  if (asked.data === undefined) {
    return asked.error ? <Trouble error={asked.error} /> : <Loading lines={3} />;
  }
  const { changes, more, against } = asked.data;
  return (
    <div className="version-changes">
      <p className="muted">
        {against === 0 ? "The first one." : `Compared with version ${against}.`} Secrets are keyed
        sums. {version.effective_at && <Effective at={version.effective_at} />}
        {version.answer === "rejected" && `${version.approver}: ${version.answer_reason}`}
      </p>
      <Scroll label={`Changes of version ${version.number}`}>
        <table className="table diff">
          <thead>
            <tr>
              <th scope="col">Place</th>
              <th scope="col">Before</th>
              <th scope="col">After</th>
            </tr>
          </thead>
          <tbody>
            {changes.map((change) => (
              <tr key={change.place}>
                <th scope="row">
                  <code>{change.place}</code>
                </th>
                <td>{valueText(change.before)}</td>
                <td>{valueText(change.after)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {more > 0 && <p className="muted">and {more} more</p>}
      {version.stage === "proposed" && <Answer version={version} ask={ask} />}
    </div>
  );
}

/** What the person may say to a proposal; the server holds to the same. */
function Answer({ version, ask }: { version: Version; ask: (act: Act) => void }) {
  const known = useMe();
  if (known !== null && known.kind !== "user" && known.kind !== "token") {
    return <p className="muted">An answer takes a name: sign in as a user, or with a token.</p>;
  }
  return (
    <div className="actions">
      {isAuthor(version.author, known?.name) ? (
        <p className="muted">You proposed it: somebody else has to approve it.</p>
      ) : (
        <Button size="xs" onClick={() => ask(approving(version.number))}>
          Approve
        </Button>
      )}
      <Button size="xs" variant="default" onClick={() => ask(rejecting(version.number))}>
        Reject
      </Button>
    </div>
  );
}

function Effective({ at }: { at: string }) {
  return (
    <>
      No start before <Time at={at} as="absolute" />.{" "}
    </>
  );
}

function approving(number: number): Act {
  return {
    verb: "Approve",
    what: `version ${number}`,
    consequence:
      "A start with exactly this file is let in. What runs now stays as it is until then.",
    needs: "configure",
    done: `Version ${number} is approved`,
    fields: (values, set) => (
      <TextInput
        type="datetime-local"
        label="Not before"
        description="In this browser's time; empty: at once."
        value={values.at ?? ""}
        onChange={(event) => set({ at: event.currentTarget.value })}
      />
    ),
    run: (reason, { at }) =>
      answer.approve(number, reason, at ? new Date(at).toISOString() : undefined),
  };
}

function rejecting(number: number): Act {
  return {
    verb: "Reject",
    what: `version ${number}`,
    consequence: "No start with it is let in. It can be proposed again.",
    danger: true,
    needs: "configure",
    done: `Version ${number} is rejected`,
    run: (reason) => answer.reject(number, reason),
  };
}
