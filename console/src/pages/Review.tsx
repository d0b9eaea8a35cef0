/** The review queue: dead deliveries that wait for a person, whose they are, and what they are worth. */

import { Checkbox } from "@mantine/core";
import { type MouseEvent, useEffect, useState } from "react";
import { Link, useLocation } from "wouter";
import { useReview } from "../api/review";
import type { Delivery, ReviewPage } from "../api/types";
import { links } from "../app/links";
import { PageHead } from "../app/PageHead";
import { useParamState } from "../app/params";
import { usePrefs } from "../app/prefs";
import { least } from "../logic/groups";
import { count, plural, worth } from "../logic/numbers";
import { short } from "../logic/words";
import { Choices } from "../parts/Choices";
import { ManyBar } from "../parts/ManyBar";
import { Older } from "../parts/Older";
import { Section } from "../parts/Section";
import { Empty, Loading, Trouble } from "../parts/States";
import { Table } from "../parts/Table";
import { type Selecting, useSelection } from "../parts/useSelection";
import { Time } from "../time/Time";

const NOBODY = "nobody";
/** Most people that are choices; the others are found by a search. */
const PEOPLE = 6;
/** Most groups that are shown: the list of deliveries below them must stay in sight. */
const GROUPS = 5;

export default function Review() {
  const params = useParamState();
  const assignee = params.get("assignee");
  const [, go] = useLocation();
  const [frozen, setFrozen] = useState(false);
  const queue = useReview(assignee, "", frozen);
  const [first] = queue.data?.pages ?? [];
  const items = queue.data?.pages.flatMap((page) => page.items) ?? [];
  const within = assignee ? `?${new URLSearchParams({ assignee })}` : "";
  const selecting = useSelection(
    items.map((item) => item.id),
    (id) => go(links.review(id, within)),
  );
  const marked = items.filter((item) => selecting.state.marked.has(item.id));
  const busy = marked.length > 0;
  useEffect(() => setFrozen(busy), [busy]);
  return (
    <>
      <PageHead title="Review">
        <p className="muted">
          Dead deliveries: nothing happens to them until a person decides. Accepted last first.
        </p>
      </PageHead>
      <div className="filters">
        <Choices
          label="Whose"
          choices={people(first, usePrefs().actor)}
          value={assignee}
          choose={(value) => params.set({ assignee: value })}
        />
      </div>
      {queue.isPending && <Loading lines={10} />}
      {queue.error && !queue.data && (
        <Trouble error={queue.error} retry={() => void queue.refetch()} />
      )}
      {first && <Numbers page={first} />}
      {first && items.length === 0 && (
        <Empty title={assignee ? "Nothing of that is in review" : "Nothing is in review"}>
          {assignee ? "" : "Every delivery is under way, delivered or given up."}
        </Empty>
      )}
      {first && first.groups.length > 0 && !assignee && <ByGroup page={first} />}
      {items.length > 0 && (
        <Section title="One by one">
          <Lines items={items} selecting={selecting} within={within} />
        </Section>
      )}
      <Older list={queue} />
      <ManyBar marked={marked} clear={selecting.clear} all={null} />
    </>
  );
}

/** Everybody's, mine, nobody's, and who holds most. */
function people(page: ReviewPage | undefined, me: string): [string, string][] {
  const others = (page?.assignees ?? []).map((one) => one.assignee).filter((name) => name !== me);
  const named = others.slice(0, PEOPLE).map((name): [string, string] => [name, name]);
  return [["", "Everybody"], [me, `Mine (${me})`], [NOBODY, "Nobody's"], ...named];
}

function Numbers({ page }: { page: ReviewPage }) {
  const held = page.assignees.reduce((sum, one) => sum + one.count, 0);
  return (
    <p className="list-note num" role="status">
      {plural(page.dead, "delivery", "deliveries")} in review: {count(page.unassigned)} nobody's,{" "}
      {count(held)} with {plural(page.assignees.length, "person", "people")}
    </p>
  );
}

interface LinesProps {
  items: Delivery[];
  selecting: Selecting;
  within: string;
}

function Lines({ items, selecting, within }: LinesProps) {
  const { marked, cursor } = selecting.state;
  return (
    <Table
      label="Deliveries in review"
      columns={[
        "Mark",
        "Delivery",
        "Recipient",
        ["Why it is dead", "grow"],
        ["Value", "right"],
        ["Priority", "right"],
        "Assignee",
        ["Since", "right"],
      ]}
    >
      {items.map((item, index) => (
        <tr
          key={item.id}
          id={`row-${item.id}`}
          className={index === cursor ? "cursor" : undefined}
          aria-selected={marked.has(item.id)}
        >
          <td className="check">
            <Checkbox
              size="xs"
              aria-label={`Mark ${short(item.id)}`}
              checked={marked.has(item.id)}
              onChange={() => undefined}
              onClick={(event: MouseEvent) => selecting.toggle(index, event.shiftKey)}
            />
          </td>
          <td>
            <Link href={links.review(item.id, within)} className="mono" title={item.id}>
              {short(item.id)}
            </Link>
          </td>
          <td>{item.recipient}</td>
          <td className="grow">
            <span className="came">
              {item.failure_class && <span className="tag">{item.failure_class}</span>}
              <span className="clip" title={item.reason ?? ""}>
                {item.reason ?? item.code}
              </span>
            </span>
          </td>
          <td data-label="value" className="right num">
            {item.value > 0 ? worth(item.value) : <span className="muted">–</span>}
          </td>
          <td data-label="priority" className="right num">
            {item.priority}
          </td>
          <td data-label="assignee">{item.assignee ?? <span className="muted">–</span>}</td>
          <td data-label="since" className="right">
            <Time at={item.ended_at} />
          </td>
        </tr>
      ))}
    </Table>
  );
}

/** Many of them are one case: who looks at the group first need not look at each. */
function ByGroup({ page }: { page: ReviewPage }) {
  return (
    <Section title="Where most of them come from" actions={<Link href="/groups">All groups</Link>}>
      <Table
        label="Groups with the most in review"
        columns={[["In review", "right"], "Recipient", ["What fails", "grow"], ["Value", "right"]]}
      >
        {page.groups.slice(0, GROUPS).map((group) => (
          <tr key={group.id}>
            <td data-label="in review" className="right num">
              {least(group.count, group.at_least)}
            </td>
            <td>{group.recipient}</td>
            <td className="grow">
              <Link href={links.group(group.id)} className="clip">
                {group.template || group.code || group.failure_class || group.id}
              </Link>
            </td>
            <td data-label="value" className="right num">
              {group.value > 0 ? worth(group.value) : <span className="muted">–</span>}
            </td>
          </tr>
        ))}
      </Table>
    </Section>
  );
}
