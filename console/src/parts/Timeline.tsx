/** The tries of a delivery, oldest first: one line each, everything on demand. */

import { useState } from "react";
import type { RetryEvent } from "../api/types";
import { judged } from "../logic/groups";
import { plural, span } from "../logic/numbers";
import { Time } from "../time/Time";
import { Compare } from "./Compare";
import { Came, Next } from "./EventTable";
import { Facts } from "./Facts";
import { Json } from "./Json";
import { OutcomeLabel } from "./Status";

export function Timeline({ events, zone }: { events: RetryEvent[]; zone?: string }) {
  const last = events.at(-1)?.event_id;
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set(last ? [last] : []));
  function toggle(id: string) {
    setOpen((before) => {
      const next = new Set(before);
      if (!next.delete(id)) next.add(id);
      return next;
    });
  }
  return (
    <ol className="timeline">
      {events.map((event, index) => {
        const before = events[index - 1];
        return (
          <li key={event.event_id} className={`try outcome-${event.outcome}`}>
            {before && <Gap before={before} event={event} />}
            <button
              type="button"
              className="try-line"
              aria-expanded={open.has(event.event_id)}
              onClick={() => toggle(event.event_id)}
            >
              <span className="try-number num">
                {event.generation > 0 && <span className="muted">g{event.generation} </span>}
                {event.attempt_number}
              </span>
              <OutcomeLabel outcome={event.outcome} />
              <Came event={event} />
              <span className="num muted">{span(event.latency_ms)}</span>
              <Time at={event.retry_timestamp} as="clock" zone={zone} />
            </button>
            {open.has(event.event_id) && <Details event={event} before={before} zone={zone} />}
          </li>
        );
      })}
    </ol>
  );
}

/** What was between two tries: a planned delay, a hold, or a person. */
function Gap({ before, event }: { before: RetryEvent; event: RetryEvent }) {
  if (!before.retry_timestamp || !event.retry_timestamp) return null;
  const between = Date.parse(event.retry_timestamp) - Date.parse(before.retry_timestamp);
  const planned = before.next_action.at
    ? Date.parse(before.next_action.at) - Date.parse(before.retry_timestamp)
    : null;
  const held = planned === null ? 0 : between - planned;
  return (
    <p className="gap muted num">
      {span(between)} later
      {event.generation > before.generation && ", redriven"}
      {planned !== null && held > 1500 && `: ${span(planned)} planned, ${span(held)} held`}
    </p>
  );
}

interface DetailsProps {
  event: RetryEvent;
  before: RetryEvent | undefined;
  zone?: string;
}

function Details({ event, before, zone }: DetailsProps) {
  const details = event.error_details;
  const network = part(event.context, "network");
  const partner = part(event.context, "partner");
  const system = part(event.context, "system");
  const queue = part(event.context, "queue");
  return (
    <div className="try-details">
      <div className="try-columns">
        <Facts
          facts={[
            ["Sent", <Time key="sent" at={event.request_timestamp} as="absolute" zone={zone} />],
            ["Endpoint", event.endpoint],
            ["Retryable", event.retryable ? "yes" : "no"],
            ["Class", event.failure_class],
            ["Code", details?.code],
            ["Triggered by", [event.trigger, event.trigger_detail].filter(Boolean).join(", ")],
            ["By", event.actor],
            ["Cause", event.attempt_number > 0 ? event.failure_reason : null],
          ]}
        />
        <Facts
          facts={[
            ["Then", <Next key="next" event={event} />],
            ["Why", event.next_action.reason],
            [
              "Delay drawn",
              event.jitter &&
                `${span(event.jitter.draw_ms)} of ${span(event.jitter.low_ms)} to ${span(event.jitter.high_ms)}`,
            ],
            ["Policy", policyOf(event)],
            ["Rules", event.rules.map((rule) => `${rule.rule}: ${rule.effect}`).join(", ")],
            ["Judged", event.judgement && judged(event.judgement)],
            ["Given back", event.refunded > 0 ? plural(event.refunded, "retry", "retries") : null],
            ["Breaker", text(partner, "breaker")],
            ["Health", share(partner, "health")],
            ["Connection", connection(network)],
            ["Waiting then", text(queue, "depth")],
            ["Processor", share(system, "cpu")],
          ]}
        />
      </div>
      {details?.excerpt && (
        <div>
          <h3>Answer, masked</h3>
          <Json text={details.excerpt} label="Start of the answer, masked" />
        </div>
      )}
      <Compare event={event} before={before} />
      <p className="muted event-id">
        Event <code>{event.event_id}</code>
      </p>
    </div>
  );
}

type Part = Record<string, unknown> | null;

function part(context: Record<string, unknown>, name: string): Part {
  const found = context[name];
  return typeof found === "object" && found !== null ? (found as Record<string, unknown>) : null;
}

function text(found: Part, name: string): string | null {
  const value = found?.[name];
  return value === undefined || value === null ? null : String(value);
}

function share(found: Part, name: string): string | null {
  const value = found?.[name];
  return typeof value === "number" ? `${Math.round(value * 100)} %` : null;
}

function connection(network: Part): string | null {
  if (network === null) return null;
  if (network.reused === true) return "reused";
  const phases = (["dns_ms", "connect_ms", "tls_ms"] as const)
    .filter((name) => typeof network[name] === "number")
    .map((name) => `${name.replace("_ms", "")} ${span(network[name] as number)}`);
  return [...phases, text(network, "errno")].filter(Boolean).join(", ") || null;
}

function policyOf(event: RetryEvent): string {
  const { strategy, max_retries } = event.configuration;
  return `${String(strategy)}, at most ${String(max_retries)} retries`;
}
