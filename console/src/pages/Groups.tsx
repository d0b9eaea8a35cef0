/** Failures that look alike, as one line each: how many, where, since when, worth what, whose. */

import { NativeSelect } from "@mantine/core";
import { Link } from "wouter";
import { type GroupsFilter, useGroups } from "../api/groups";
import type { GroupLine } from "../api/types";
import { links } from "../app/links";
import { PageHead } from "../app/PageHead";
import { type Params, useParamState } from "../app/params";
import {
  BY,
  GROUP_LOOKS,
  least,
  named,
  presumed,
  recovered,
  SORTS,
  STANDS,
  tags,
  WINDOWS,
  where,
} from "../logic/groups";
import { plural, worth } from "../logic/numbers";
import { Choices } from "../parts/Choices";
import { Older } from "../parts/Older";
import { Spark } from "../parts/Spark";
import { Empty, Loading, Trouble } from "../parts/States";
import { Label } from "../parts/Status";
import { Table } from "../parts/Table";
import { Time } from "../time/Time";

/** A word of the address, if it is one of those that there are. */
function chosen(params: Params, name: string, choices: readonly (readonly [string, string])[]) {
  const given = params.get(name);
  return choices.some(([value]) => value === given) ? given : (choices[0]?.[0] ?? "");
}

export default function Groups() {
  const params = useParamState();
  const by = chosen(params, "by", BY);
  const sort = chosen(params, "sort", SORTS);
  const window = chosen(params, "window", [["24h", ""], ...WINDOWS]);
  const status = chosen(params, "status", STANDS);
  const filter = { by, sort, window, ...(status && { status }) } as GroupsFilter;
  const list = useGroups(filter);
  const [first] = list.data?.pages ?? [];
  const lines = list.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <>
      <PageHead title="Groups">
        <p className="muted">
          Deliveries whose last failure was the same. One error at one place is one group.
        </p>
      </PageHead>
      <div className="filters">
        <Choices
          label="Group by"
          choices={BY}
          value={by}
          choose={(value) => params.set({ by: value === "fingerprint" ? "" : value })}
        />
        <Choices
          label="State"
          choices={STANDS}
          value={status}
          choose={(value) => params.set({ status: value })}
        />
        <NativeSelect
          size="xs"
          label="Order"
          value={sort}
          onChange={(event) => params.set({ sort: event.currentTarget.value })}
          data={SORTS.map(([value, label]) => ({ value, label }))}
        />
        <NativeSelect
          size="xs"
          label="Failed tries of"
          value={window}
          onChange={(event) => params.set({ window: event.currentTarget.value })}
          data={WINDOWS.map(([value, label]) => ({ value, label }))}
        />
      </div>
      {list.isPending && <Loading lines={10} />}
      {list.error && !list.data && <Trouble error={list.error} retry={() => void list.refetch()} />}
      {list.data && lines.length === 0 && <None status={status} />}
      {first?.at_least && (
        <p className="list-note">older groups than those that were seen last are not listed</p>
      )}
      {lines.length > 0 && <Lines lines={lines} by={by} everyMs={first?.bucket_ms ?? 0} />}
      <Older list={list} label="More" />
    </>
  );
}

function None({ status }: { status: string }) {
  return status ? (
    <Empty title="No group stands like that">The open ones are a choice away.</Empty>
  ) : (
    <Empty title="Nothing fails">No delivery that failed waits for a retry or for a person.</Empty>
  );
}

function Lines({ lines, by, everyMs }: { lines: GroupLine[]; by: string; everyMs: number }) {
  return (
    <Table
      label="Groups"
      columns={[
        ["What fails", "grow"],
        "Where",
        ["In review", "right"],
        ["Retrying", "right"],
        ["At risk", "right"],
        "Failed tries",
        ["Recovered", "right"],
        ["First", "right"],
        ["Last", "right"],
        "State",
        "Owner",
      ]}
    >
      {lines.map((line) => (
        <Row key={line.key} line={line} by={by} everyMs={everyMs} />
      ))}
    </Table>
  );
}

function Row({ line, by, everyMs }: { line: GroupLine; by: string; everyMs: number }) {
  const title = named(line, by);
  const href = line.id ? links.group(line.id) : line.q ? links.search(line.q) : null;
  return (
    <tr>
      <td className="grow">
        <span className="came">
          {tags(line, by).map((tag) => (
            <span key={tag} className="tag">
              {tag}
            </span>
          ))}
          {href ? (
            <Link href={href} className="clip" title={title}>
              {title}
            </Link>
          ) : (
            <span className="clip" title={title}>
              {title}
            </span>
          )}
        </span>
      </td>
      <td title={line.recipients.join(", ")}>
        {where(line)}
        {line.flow && by !== "step" && <span className="muted"> {line.flow}</span>}
      </td>
      <td data-label="in review" className="right num">
        {least(line.dead, line.at_least)}
      </td>
      <td data-label="retrying" className="right num">
        {least(line.pending, line.at_least)}
      </td>
      <td data-label="at risk" className="right num">
        {line.value_at_risk > 0 ? worth(line.value_at_risk) : <span className="muted">–</span>}
      </td>
      <td>
        <Spark values={line.spark} everyMs={everyMs} what="failed tries" />
      </td>
      <td data-label="recovered" className="right num" title={presumed(line) ?? undefined}>
        {recovered(line) ?? <span className="muted">–</span>}
      </td>
      <td data-label="first" className="right">
        <Time at={line.first_seen_at} />
      </td>
      <td data-label="last" className="right">
        <Time at={line.last_seen_at} />
      </td>
      <td>
        <Label {...GROUP_LOOKS[line.status]} />
        {line.groups > 1 && <span className="muted"> {plural(line.groups, "group")}</span>}
      </td>
      <td data-label="owner">{line.owner ?? <span className="muted">–</span>}</td>
    </tr>
  );
}
