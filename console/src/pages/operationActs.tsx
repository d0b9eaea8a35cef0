/** What a person can do with an operation as it stands. */

import { type SeenOperation, steer } from "../api/operations";
import type { Operation } from "../api/types";
import { count } from "../logic/numbers";
import { KINDS } from "../logic/operations";
import type { Act } from "../parts/ActDialog";

type Made = Pick<Act, "verb" | "consequence" | "done" | "danger"> & {
  run: (seen: SeenOperation, reason: string) => Promise<unknown>;
};

function made(one: Operation, now: number): Made[] {
  const again = one.gate ? " A new canary is drawn." : "";
  const pause = {
    verb: "Pause",
    consequence:
      "It stops after the batch under way. What is redriven already goes on in its lane.",
    done: "Paused",
    run: steer.pause,
  };
  const resume = {
    verb: "Resume",
    consequence: `It goes on where it stopped.${again}`,
    done: "It goes on",
    run: steer.resume,
  };
  const cancel = {
    verb: "Cancel",
    danger: true,
    consequence: "It ends for good. What is done stays done; the rest is left alone.",
    done: "Cancelled",
    run: steer.cancel,
  };
  const undo = {
    verb: "Undo",
    consequence: `${count(one.changed)} come back to review, but for those that something else has changed since.`,
    done: "It is undone",
    run: steer.undo,
  };
  if (one.state === "running") return [pause, cancel];
  if (one.state === "paused") return [resume, cancel];
  return one.undo_until && Date.parse(one.undo_until) > now ? [undo] : [];
}

/** Return what can be done: name on the button -> action on the operation as it was seen. */
export function operationActs(one: Operation, now: number): Record<string, Act> {
  return Object.fromEntries(
    made(one, now).map(({ run, ...rest }) => [
      rest.verb,
      {
        ...rest,
        what: `the ${KINDS[one.kind].noun.toLowerCase()}`,
        seen: { state: one, subject: one.id },
        again: (current: object) => operationActs(current as Operation, now)[rest.verb] ?? null,
        run: (reason: string) => run(one, reason),
      },
    ]),
  );
}
