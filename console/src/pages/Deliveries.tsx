/** Deliveries: search, look through, mark, act on. The address holds the query. */

import { Button, Checkbox } from "@mantine/core";
import { type MouseEvent, useEffect, useState } from "react";
import { Link, useLocation } from "wouter";
import { Refusal } from "../api/client";
import { useDeliveries, useDeliveryCount, useFlows, useRecipients } from "../api/queries";
import type { Delivery, Recipient } from "../api/types";
import { links, place } from "../app/links";
import { PageHead } from "../app/PageHead";
import { useParamState } from "../app/params";
import { why } from "../logic/lanes";
import { count } from "../logic/numbers";
import { amount, kindsFor } from "../logic/operations";
import { only, withWord } from "../logic/query";
import { CODE_NAMES, GATE_NAMES, short } from "../logic/words";
import { Choices } from "../parts/Choices";
import { ManyBar } from "../parts/ManyBar";
import { Older } from "../parts/Older";
import { OperationForm, type Wanted } from "../parts/OperationForm";
import { QueryField } from "../parts/QueryField";
import { Scroll } from "../parts/Scroll";
import { Empty, Loading, Trouble } from "../parts/States";
import { StatusLabel } from "../parts/Status";
import { useSelection } from "../parts/useSelection";
import { Time } from "../time/Time";
import { useNow } from "../time/useNow";

const STATUSES: [string, string][] = [
  ["", "All"],
  ["pending", "Pending"],
  ["delivered", "Delivered"],
  ["dead", "In review"],
  ["discarded", "Discarded"],
];

export default function Deliveries() {
  const params = useParamState();
  const query = params.get("q");
  const [, go] = useLocation();
  const [frozen, setFrozen] = useState(false);
  const [wanted, setWanted] = useState<Wanted | null>(null);
  const list = useDeliveries(query, frozen);
  const total = useDeliveryCount(query);
  const items = list.data?.pages.flatMap((page) => page.items) ?? [];
  const selecting = useSelection(
    items.map((item) => item.id),
    (id) => go(links.delivery(id)),
  );
  const marked = items.filter((item) => selecting.state.marked.has(item.id));
  const busy = selecting.state.marked.size > 0;
  useEffect(() => setFrozen(busy), [busy]);
  const wrong = list.error && misread(list.error) ? list.error : null;
  function ask(wanted: string) {
    const path = place(wanted);
    if (path) go(path);
    else params.set({ q: wanted });
  }
  const able = kindsFor(query);
  const all =
    query && total.data && total.data.count > 0 && able.length > 0
      ? {
          says: `Act on all ${amount(total.data.count, total.data.at_least)} that match`,
          act: () => setWanted({ q: query, what: "all that match", kinds: able }),
        }
      : null;
  return (
    <>
      <PageHead title="Deliveries">
        <p className="muted">One message for one step of a flow. Newest first.</p>
      </PageHead>
      <Filters query={query} ask={ask} error={wrong} />
      {list.error && !wrong && !list.data && (
        <Trouble error={list.error} retry={() => void list.refetch()} />
      )}
      {list.isPending && <Loading lines={12} />}
      {list.data && items.length === 0 && (
        <None query={query} more={list.hasNextPage} clear={() => ask("")} />
      )}
      {list.data && (
        <div className="list-note">
          <p role="status">
            {total.data && matching(total.data, items.length, list.hasNextPage)}
            {busy && "; the list stands still while some are marked"}
          </p>
          {all && items.length > 0 && (
            <Button size="compact-xs" variant="default" onClick={all.act}>
              Act on all that match
            </Button>
          )}
        </div>
      )}
      {items.length > 0 && (
        <DeliveryTable
          items={items}
          marked={selecting.state.marked}
          cursor={selecting.state.cursor}
          toggle={selecting.toggle}
          all={selecting.all}
        />
      )}
      <Older list={list} label={items.length === 0 ? "Look further back" : "Older"} />
      <ManyBar
        marked={marked}
        clear={selecting.clear}
        all={marked.length === items.length && list.hasNextPage ? all : null}
      />
      <OperationForm wanted={wanted} close={() => setWanted(null)} started={selecting.clear} />
    </>
  );
}

/** Whether the query itself was refused. */
function misread(error: Error): boolean {
  return error instanceof Refusal && error.status === 422;
}

/** How many match, and how many of them are on screen; never more certain than the answer. */
function matching(
  total: { count: number; at_least: boolean },
  shown: number,
  more: boolean,
): string {
  const number = Math.max(total.count, shown);
  const least = total.at_least ? "at least " : "";
  const match = number === 1 ? "delivery matches" : "deliveries match";
  const rest = more && shown > 0 ? `; the newest ${count(shown)} are shown` : "";
  return `${least}${count(number)} ${match}${rest}`;
}

interface NoneProps {
  query: string;
  more: boolean;
  clear: () => void;
}

function None({ query, more, clear }: NoneProps) {
  if (more) {
    return <Empty title="None among the newest that were looked at">Older ones may match.</Empty>;
  }
  if (query === "status:dead") {
    return (
      <Empty title="Nothing is in review">
        Every delivery is under way, delivered or given up.
      </Empty>
    );
  }
  return (
    <Empty title="No delivery matches">
      {query ? (
        <Button size="xs" variant="default" onClick={clear}>
          Show all
        </Button>
      ) : (
        <>
          Send one: <code>python examples/send_one.py</code>
        </>
      )}
    </Empty>
  );
}

interface FilterProps {
  query: string;
  ask: (query: string) => void;
  error: Error | null;
}

/** The query, and the word of it that people change most as buttons. */
function Filters({ query, ask, error }: FilterProps) {
  const recipients = useRecipients().data ?? [];
  const flows = useFlows().data ?? [];
  const known = {
    recipient: recipients.map((one) => one.recipient),
    flow: flows.map((one) => one.name),
    step: [...new Set(flows.flatMap((one) => one.steps.map((step) => step.name)))],
    account: [...new Set(flows.map((one) => one.account))],
    code: CODE_NAMES,
    gate: GATE_NAMES,
  };
  const status = only(query, "status");
  const said = /(^|\s)-?status:/.test(query);
  return (
    <div className="filters">
      <QueryField value={query} ask={ask} known={known} error={error} />
      <Choices
        label="Status"
        quiet
        choices={STATUSES}
        value={said ? status || "several" : ""}
        choose={(value) => ask(withWord(query, "status", value))}
      />
    </div>
  );
}

interface TableProps {
  items: Delivery[];
  marked: ReadonlySet<string>;
  cursor: number;
  toggle: (index: number, range: boolean) => void;
  all: (on: boolean) => void;
}

function DeliveryTable({ items, marked, cursor, toggle, all }: TableProps) {
  const lanes = new Map((useRecipients().data ?? []).map((lane) => [lane.recipient, lane]));
  return (
    <Scroll label="Deliveries">
      <table className="table stack-phone">
        <caption className="sr-only">Deliveries, newest first</caption>
        <thead>
          <tr>
            <th scope="col" className="check">
              <Checkbox
                size="xs"
                aria-label="Mark all that are shown"
                checked={marked.size === items.length}
                indeterminate={marked.size > 0 && marked.size < items.length}
                onChange={(event) => all(event.currentTarget.checked)}
              />
            </th>
            <th scope="col">Status</th>
            <th scope="col">Delivery</th>
            <th scope="col">Recipient</th>
            <th scope="col">Flow</th>
            <th scope="col" className="right">
              Tries
            </th>
            <th scope="col" className="grow">
              Last trouble
            </th>
            <th scope="col" className="right">
              Next or ended
            </th>
            <th scope="col" className="right">
              Accepted
            </th>
          </tr>
        </thead>
        <tbody>
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
                  onClick={(event: MouseEvent) => toggle(index, event.shiftKey)}
                />
              </td>
              <td>
                <StatusLabel status={item.status} />
              </td>
              <td>
                <Link href={links.delivery(item.id)} className="mono" title={item.id}>
                  {short(item.id)}
                </Link>
              </td>
              <td>{item.recipient}</td>
              <td data-label="flow">{item.flow}</td>
              <td data-label="tries" className="right num">
                {item.attempts}
              </td>
              <td className="grow">
                <LastTrouble item={item} />
              </td>
              <td data-label="next or ended" className="right">
                {item.status === "pending" ? (
                  <NextTry item={item} lane={lanes.get(item.recipient)} />
                ) : (
                  <Time at={item.ended_at} />
                )}
              </td>
              <td data-label="accepted" className="right">
                <Time at={item.created_at} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

/** When it goes next; what is due while its lane takes nothing waits for the lane. */
function NextTry({ item, lane }: { item: Delivery; lane: Recipient | undefined }) {
  const now = useNow();
  const due = item.due_at !== null && Date.parse(item.due_at) <= now;
  const reason = lane ? why(lane) : null;
  if (due && reason) {
    return (
      <span className="tone-hold" title={reason.text}>
        held by its lane
      </span>
    );
  }
  return <Time at={item.due_at} as="until" none="not by time alone" />;
}

function LastTrouble({ item }: { item: Delivery }) {
  const text = item.reason ?? item.code;
  if (!text && !item.failure_class) return <span className="muted">–</span>;
  return (
    <span className={item.status === "delivered" ? "came muted" : "came"}>
      {item.http_status && item.status !== "delivered" && (
        <span className="tag num">{item.http_status}</span>
      )}
      <span className="clip" title={text ?? ""}>
        {text ?? item.failure_class}
      </span>
    </span>
  );
}
