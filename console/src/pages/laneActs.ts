/** What a person can do with a lane as it stands. */

import { act } from "../api/actions";
import type { Recipient } from "../api/types";
import { why } from "../logic/lanes";
import type { Act } from "../parts/ActDialog";

type Made = Omit<Act, "seen" | "again">;

/** Return what can be done: name on the button -> action on the lane as it was seen. */
export function laneActs(lane: Recipient): Record<string, Act> {
  const stopped = why(lane) !== null && (lane.paused !== null || lane.disabled.length > 0);
  const mended = lane.gates?.some(
    (gate) => gate.gate === "credentials" || gate.gate === "endpoint",
  );
  const made: Made[] = [stopped || mended ? resume(lane) : pause(lane)];
  if (lane.breaker !== "closed") made.push(reset(lane));
  if (!(lane.breaker === "open" && lane.manual)) made.push(open(lane));
  return Object.fromEntries(
    made.map((one) => [
      one.verb,
      {
        ...one,
        seen: { state: lane, subject: lane.recipient },
        again: (current: object) => laneActs(current as Recipient)[one.verb] ?? null,
      },
    ]),
  );
}

function resume(lane: Recipient): Made {
  const what = lane.recipient;
  return {
    needs: "steer",
    verb: "Resume",
    what,
    consequence: `What waits for ${what} is sent again, as fast as the lane allows.`,
    done: `${what} is resumed`,
    run: (reason) => act.resume(lane, reason),
  };
}

function pause(lane: Recipient): Made {
  const what = lane.recipient;
  return {
    needs: "steer",
    verb: "Pause",
    what,
    consequence: `Nothing is sent to ${what} until somebody resumes it. Deliveries wait and use no retries.`,
    done: `${what} is paused`,
    run: (reason) => act.pause(lane, reason),
  };
}

function reset(lane: Recipient): Made {
  const what = lane.recipient;
  return {
    needs: "steer",
    verb: "Close breaker",
    what: `of ${what}`,
    consequence: `Everything that waits for ${what} may go at once: do this when you know that it is back.`,
    done: `The breaker of ${what} is closed`,
    run: (reason) => act.reset(lane, reason),
  };
}

function open(lane: Recipient): Made {
  const what = lane.recipient;
  return {
    needs: "steer",
    verb: "Open breaker",
    what: `of ${what}`,
    danger: true,
    consequence: `Nothing is sent to ${what}, not even probes, until somebody closes the breaker.`,
    done: `The breaker of ${what} is open`,
    run: (reason) => act.open(lane, reason),
  };
}
