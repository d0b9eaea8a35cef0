/** Deliveries: filter, look through, mark, act on. The address holds the filter. */

import { Button, Checkbox, NativeSelect, TextInput } from "@mantine/core";
import { type MouseEvent, useEffect, useRef, useState } from "react";
import { Link, useLocation } from "wouter";
import { type DeliveriesFilter, useDeliveries, useFlows, useRecipients } from "../api/queries";
import type { Delivery, FailureClass, Recipient, Status } from "../api/types";
import { useKeys } from "../app/keys";
import { links, place } from "../app/links";
import { PageHead } from "../app/PageHead";
import { type Params, useParamState } from "../app/params";
import { why } from "../logic/lanes";
import { count } from "../logic/numbers";
import { SINCE_CHOICES, since } from "../logic/since";
import { short } from "../logic/words";
import { ManyBar } from "../parts/ManyBar";
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

const CLASSES: FailureClass[] = [
  "timeout",
  "connect",
  "dns",
  "tls",
  "rate_limit",
  "server",
  "auth",
  "data",
  "business",
  "protocol",
  "configuration",
  "physical",
  "cancelled",
];

export default function Deliveries() {
  const params = useParamState();
  const filter: DeliveriesFilter = {
    ...(params.get("status") && { status: params.get("status") as Status }),
    ...(params.get("recipient") && { recipient: params.get("recipient") }),
    ...(params.get("flow") && { flow: params.get("flow") }),
    ...(params.get("failure_class") && {
      failure_class: params.get("failure_class") as FailureClass,
    }),
    ...(params.get("message_id") && { message_id: params.get("message_id") }),
    ...(params.get("since") && { since: since(params.get("since"), Date.now()) }),
  };
  const [, go] = useLocation();
  const [frozen, setFrozen] = useState(false);
  const list = useDeliveries(filter, frozen);
  const items = list.data?.pages.flatMap((page) => page.items) ?? [];
  const selecting = useSelection(
    items.map((item) => item.id),
    (id) => go(links.delivery(id)),
  );
  const marked = items.filter((item) => selecting.state.marked.has(item.id));
  const busy = selecting.state.marked.size > 0;
  useEffect(() => setFrozen(busy), [busy]);
  return (
    <>
      <PageHead title="Deliveries">
        <p className="muted">One message for one step of a flow. Newest first.</p>
      </PageHead>
      <Filters params={params} />
      {list.error && !list.data && <Trouble error={list.error} retry={() => void list.refetch()} />}
      {list.isPending && <Loading lines={12} />}
      {list.data && items.length === 0 && <None params={params} />}
      {items.length > 0 && (
        <>
          <p className="list-note" role="status">
            {list.hasNextPage ? `the newest ${count(items.length)}` : `all ${count(items.length)}`}
            {busy && "; the list stands still while some are marked"}
          </p>
          <DeliveryTable
            items={items}
            marked={selecting.state.marked}
            cursor={selecting.state.cursor}
            toggle={selecting.toggle}
            all={selecting.all}
          />
          {list.hasNextPage && (
            <Button
              variant="default"
              size="xs"
              loading={list.isFetchingNextPage}
              onClick={() => void list.fetchNextPage()}
            >
              Older
            </Button>
          )}
        </>
      )}
      <ManyBar marked={marked} clear={selecting.clear} />
    </>
  );
}

function None({ params }: { params: Params }) {
  const names = ["recipient", "flow", "failure_class", "message_id", "since"];
  const filtered = names.some((name) => params.get(name));
  if (params.get("status") === "dead" && !filtered) {
    return (
      <Empty title="Nothing is in review">
        Every delivery is under way, delivered or given up.
      </Empty>
    );
  }
  return (
    <Empty title="No delivery matches">
      {filtered || params.get("status") ? (
        <Button size="xs" variant="default" onClick={params.clear}>
          Take the filters away
        </Button>
      ) : (
        <>
          Send one: <code>python examples/send_one.py</code>
        </>
      )}
    </Empty>
  );
}

function Filters({ params }: { params: Params }) {
  const recipients = useRecipients().data ?? [];
  const flows = useFlows().data ?? [];
  const [, go] = useLocation();
  const [typed, setTyped] = useState("");
  const first = useRef<HTMLInputElement>(null);
  useKeys({ "/": () => first.current?.focus() });
  const any = (names: string[], all: string) => [
    { value: "", label: all },
    ...names.map((name) => ({ value: name, label: name.replaceAll("_", " ") })),
  ];
  const picked = (name: string) => ({
    size: "xs" as const,
    value: params.get(name),
    onChange: (event: { currentTarget: { value: string } }) =>
      params.set({ [name]: event.currentTarget.value }),
  });
  return (
    <div className="filters">
      <fieldset className="choices">
        <legend>Status</legend>
        {STATUSES.map(([value, label]) => (
          <button
            key={value}
            type="button"
            aria-pressed={params.get("status") === value}
            onClick={() => params.set({ status: value })}
          >
            {label}
          </button>
        ))}
      </fieldset>
      <NativeSelect
        label="Recipient"
        {...picked("recipient")}
        data={any(
          recipients.map((one) => one.recipient),
          "any",
        )}
      />
      <NativeSelect
        label="Flow"
        {...picked("flow")}
        data={any(
          flows.map((one) => one.name),
          "any",
        )}
      />
      <NativeSelect label="Last failure" {...picked("failure_class")} data={any(CLASSES, "any")} />
      <NativeSelect label="Accepted in the last" {...picked("since")} data={SINCE_CHOICES} />
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const path = place(typed);
          if (path) go(path);
        }}
      >
        <TextInput
          ref={first}
          size="xs"
          label="Open an id"
          className="id-field"
          placeholder="dlv_… or msg_…"
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
          error={typed && !place(typed) ? "a whole id: dlv_ or msg_ and 32 digits" : null}
        />
      </form>
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
