/** What a person can do with a delivery as it stands. */

import { Select, TextInput } from "@mantine/core";
import { act } from "../api/actions";
import type { Delivery, Recipient } from "../api/types";
import { short } from "../logic/words";
import type { Act } from "../parts/ActDialog";

type Made = Omit<Act, "what" | "seen" | "again">;
type Make = (delivery: Delivery, lane: Recipient | undefined) => Made;

/** Name on the button -> in which status it is possible, the likeliest first. */
const ACTS: Record<string, { from: Delivery["status"][]; make: Make }> = {
  Redrive: { from: ["dead"], make: redrive },
  Reschedule: { from: ["pending"], make: reschedule },
  "Undo discard": {
    from: ["discarded"],
    make: (delivery) => ({
      verb: "Undo discard",
      consequence: "It returns to the review queue; nothing is sent until somebody redrives it.",
      done: "Back in review",
      run: (reason) => act.undo(delivery, reason),
    }),
  },
  "Mark delivered": {
    from: ["dead", "discarded"],
    make: (delivery) => ({
      verb: "Mark delivered",
      consequence: "It counts as delivered although Holdfast has no proof. Nothing is sent.",
      reasonLabel: "Proof",
      done: "Marked delivered",
      run: (reason) => act.prove(delivery, reason),
    }),
  },
  Discard: {
    from: ["dead"],
    make: (delivery) => ({
      verb: "Discard",
      danger: true,
      consequence: "It is given up. It can be returned to review as long as its row is kept.",
      done: "Discarded",
      run: (reason) => act.discard(delivery, reason),
    }),
  },
  Cancel: {
    from: ["pending"],
    make: (delivery) => ({
      verb: "Cancel delivery",
      danger: true,
      consequence: "It is given up. A send that is under way may still arrive, and then counts.",
      done: "Cancelled",
      run: (reason) => act.cancel(delivery, reason),
    }),
  },
};

/** Return what can be done: name on the button -> action on the delivery as it was seen. */
export function deliveryActs(delivery: Delivery, lane?: Recipient): Record<string, Act> {
  const possible = Object.entries(ACTS).filter(([, { from }]) => from.includes(delivery.status));
  return Object.fromEntries(
    possible.map(([name, { make }]) => [
      name,
      {
        ...make(delivery, lane),
        what: short(delivery.id),
        seen: { state: delivery, subject: delivery.id },
        again: (current: object) => deliveryActs(current as Delivery, lane)[name] ?? null,
      },
    ]),
  );
}

function redrive(delivery: Delivery, lane: Recipient | undefined): Made {
  const endpoints = lane?.endpoints ?? [];
  return {
    verb: "Redrive",
    consequence: `It returns to the lane of ${delivery.recipient} with all its retries, under the same key: a partner that has it already will call it a duplicate.`,
    done: "Returned to its lane",
    fields: (values, set) =>
      endpoints.length > 1 && (
        <Select
          label="Endpoint"
          data={endpoints.map((one) => one.name)}
          placeholder="the usual one"
          clearable
          value={values.endpoint || null}
          onChange={(value) => set({ endpoint: value ?? "" })}
        />
      ),
    run: (reason, values) => act.redrive(delivery, reason, values.endpoint),
  };
}

function reschedule(delivery: Delivery): Made {
  return {
    verb: "Reschedule",
    consequence: "The earliest next send is moved; the lane may still hold it longer.",
    done: "Rescheduled",
    fields: (values, set) => (
      <TextInput
        type="datetime-local"
        step={1}
        label="Not before"
        description="In this browser's time; empty: now."
        value={values.at ?? ""}
        onChange={(event) => set({ at: event.currentTarget.value })}
      />
    ),
    run: (reason, { at }) =>
      act.reschedule(delivery, reason, (at ? new Date(at) : new Date()).toISOString()),
  };
}
