/** Retry events as a table, newest first. */

import { Link } from "wouter";
import type { RetryEvent } from "../api/types";
import { links } from "../app/links";
import { span } from "../logic/numbers";
import { told } from "../logic/patterns";
import { nextWord, short } from "../logic/words";
import { Time } from "../time/Time";
import { Scroll } from "./Scroll";
import { OutcomeLabel } from "./Status";

interface Props {
  events: RetryEvent[];
  zone?: string;
  /** A column that the page makes superfluous. */
  without?: "recipient";
}

export function EventTable({ events, zone, without }: Props) {
  return (
    <Scroll label="Retry events">
      <table className="table stack-phone events">
        <caption className="sr-only">Retry events, newest first</caption>
        <thead>
          <tr>
            <th scope="col">Time</th>
            {without !== "recipient" && <th scope="col">Recipient</th>}
            <th scope="col">Delivery</th>
            <th scope="col" className="right">
              Try
            </th>
            <th scope="col">Outcome</th>
            <th scope="col" className="grow">
              What came back
            </th>
            <th scope="col" className="right">
              Took
            </th>
            <th scope="col">Next</th>
          </tr>
        </thead>
        <tbody>
          {events.map((event) => (
            <tr key={event.event_id}>
              <td>
                <Time at={event.retry_timestamp} as="clock" zone={zone} />
              </td>
              {without !== "recipient" && (
                <td>
                  <Link href={links.lane(event.recipient)}>{event.recipient}</Link>
                </td>
              )}
              <td>
                <Link href={links.delivery(event.delivery_id)} className="mono">
                  {short(event.delivery_id)}
                </Link>
              </td>
              <td className="right num" data-label="try">
                {event.attempt_number}
                {event.generation > 0 && <span className="muted"> g{event.generation}</span>}
              </td>
              <td>
                <OutcomeLabel outcome={event.outcome} />
              </td>
              <td className="grow">
                <Came event={event} />
              </td>
              <td className="right num" data-label="took">
                {span(event.latency_ms)}
              </td>
              <td data-label="next">
                <Next event={event} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

/** What came back, in one line, with the facts that matter as tags. */
export function Came({ event }: { event: RetryEvent }) {
  const good = event.success_indicators;
  const status = event.error_details?.http_status ?? good?.http_status;
  const price = good?.price;
  const text = good
    ? [good.reference, price === null || price === undefined ? null : `price ${price}`]
        .filter(Boolean)
        .join(", ") || "taken"
    : told(event);
  return (
    <span className="came">
      {status && <span className="tag num">{status}</span>}
      <span className="clip" title={text}>
        {text}
      </span>
      {!event.counted && (
        <span className="tag" title="It used no retry: the recipient's trouble is the lane's.">
          not counted
        </span>
      )}
      {event.stale && (
        <span className="tag" title="The delivery had changed meanwhile.">
          stale
        </span>
      )}
      {event.trigger !== "automatic" && <span className="tag">{event.trigger}</span>}
    </span>
  );
}

export function Next({ event }: { event: RetryEvent }) {
  const next = event.next_action;
  if (next.type === "done") return <span className="muted">done</span>;
  return (
    <span title={next.reason ?? undefined}>
      {nextWord(next.type)}
      {next.at && event.retry_timestamp && (
        <span className="muted num">
          {" "}
          +{span(Date.parse(next.at) - Date.parse(event.retry_timestamp))}
        </span>
      )}
    </span>
  );
}
