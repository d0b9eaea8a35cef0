/** Who did what to which thing, and why; newest first. */

import { Button, NativeSelect, TextInput } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useState } from "react";
import { Link } from "wouter";
import { exportedAudit, type Format, useAuditPages } from "../api/audit";
import type { AuditLine } from "../api/types";
import { links, place } from "../app/links";
import { PageHead } from "../app/PageHead";
import { type Params, useParamState } from "../app/params";
import { type AuditFilter, auditFilter, changed } from "../logic/audit";
import { plural } from "../logic/numbers";
import { SINCE_CHOICES } from "../logic/since";
import { short } from "../logic/words";
import { Older } from "../parts/Older";
import { Empty, Loading, Trouble } from "../parts/States";
import { Table } from "../parts/Table";
import { Time } from "../time/Time";

const OF_LANES = new Set(["pause", "resume", "open_breaker", "reset_breaker"]);

export default function Audit() {
  const params = useParamState();
  const filter = auditFilter(params.get, Date.now());
  const pages = useAuditPages(filter);
  const lines = pages.data?.pages.flatMap((page) => page.items) ?? [];
  const asked = Object.keys(filter).length > 0;
  return (
    <>
      <PageHead title="Audit" actions={<Exports filter={filter} />}>
        <p className="muted">
          What people did, why, and what was before and after. Tries are events.
        </p>
      </PageHead>
      <Filters params={params} />
      {pages.error && <Trouble error={pages.error} retry={() => void pages.refetch()} />}
      {pages.isPending && <Loading lines={12} />}
      <p className="list-note" role="status">
        {lines.length > 0 &&
          `${pages.hasNextPage ? "the newest" : "all"} ${plural(lines.length, "line")}`}
      </p>
      {pages.data && lines.length === 0 && (
        <Empty title={asked ? "No line matches" : "Nobody did anything yet"}>
          {pages.hasNextPage && "Older ones may: load them below."}
        </Empty>
      )}
      {lines.length > 0 && <Lines lines={lines} />}
      <Older list={pages} />
    </>
  );
}

function Filters({ params }: { params: Params }) {
  const field = (name: string, more: { label: string; placeholder?: string; type?: string }) => (
    <TextInput
      size="xs"
      {...more}
      value={params.get(name)}
      onChange={(event) => params.set({ [name]: event.currentTarget.value })}
    />
  );
  return (
    <div className="filters">
      {field("subject", { label: "About", placeholder: "a whole id or a recipient" })}
      {field("actor", { label: "Who", placeholder: "a whole name" })}
      {field("action", { label: "Did", placeholder: "redrive, set role, …" })}
      <NativeSelect
        size="xs"
        label="In the last"
        value={params.get("since")}
        onChange={(event) => params.set({ since: event.currentTarget.value, from: "", until: "" })}
        data={SINCE_CHOICES}
      />
      {field("from", { label: "From the day (UTC)", type: "date" })}
      {field("until", { label: "Before the day (UTC)", type: "date" })}
    </div>
  );
}

/** Saves all lines that the filters mean, not only those that are loaded. */
function Exports({ filter }: { filter: AuditFilter }) {
  const [busy, setBusy] = useState(false);
  async function save(format: Format) {
    setBusy(true);
    try {
      const address = URL.createObjectURL(await exportedAudit(filter, format));
      const link = document.createElement("a");
      link.href = address;
      link.download = `holdfast-audit.${format}`;
      link.click();
      URL.revokeObjectURL(address);
    } catch (problem) {
      const message = problem instanceof Error ? problem.message : String(problem);
      notifications.show({ title: "Not exported", message, color: "red" });
    } finally {
      setBusy(false);
    }
  }
  return (
    <>
      {(["csv", "ndjson"] as const).map((format) => (
        <Button
          key={format}
          size="xs"
          variant="default"
          disabled={busy}
          onClick={() => void save(format)}
          title="All lines that the filters mean, oldest first, with their places in the chain"
        >
          {`Export ${format.toUpperCase()}`}
        </Button>
      ))}
    </>
  );
}

function Lines({ lines }: { lines: AuditLine[] }) {
  return (
    <Table label="Audit journal" columns={["Time", "Who", "Did", "To", ["Why", "grow"], "Changed"]}>
      {lines.map((line) => (
        <tr key={`${line.number} ${line.at} ${line.actor} ${line.action} ${line.subject}`}>
          <td>
            <Time at={line.at} as="absolute" />
          </td>
          <td>{line.actor}</td>
          <td>{line.action.replaceAll("_", " ")}</td>
          <td>
            <Subject line={line} />
          </td>
          <td className="grow">
            <span className="clip" title={line.reason}>
              {line.reason}
            </span>
          </td>
          <td className="muted detail">
            <span className="clip" title={line.detail}>
              {changed(line.before, line.after).join(", ") || line.detail}
            </span>
          </td>
        </tr>
      ))}
    </Table>
  );
}

function Subject({ line }: { line: AuditLine }) {
  const path = place(line.subject) ?? (OF_LANES.has(line.action) ? links.lane(line.subject) : null);
  if (path === null) return line.subject;
  return (
    <Link href={path} className="mono" title={line.subject}>
      {short(line.subject)}
    </Link>
  );
}
