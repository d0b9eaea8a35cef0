/** What a person can do with a delivery as it stands. */

import { TextInput } from "@mantine/core";
import { act } from "../api/actions";
import { assign } from "../api/review";
import type { Delivery, Recipient } from "../api/types";
import { prefs } from "../app/prefs";
import { chosen, settingsOf } from "../logic/policy";
import { short } from "../logic/words";
import type { Act } from "../parts/ActDialog";
import { OverrideFields } from "../parts/OverrideFields";
import { ProofFields } from "../parts/ProofFields";

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
  "Mark delivered": { from: ["dead", "discarded"], make: prove },
  Assign: { from: ["dead"], make: assigned },
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

function prove(delivery: Delivery): Made {
  return {
    verb: "Mark delivered",
    consequence: "It counts as delivered. Nothing is sent; the audit journal keeps the proof.",
    done: "Marked delivered",
    fields: (values, set) => <ProofFields values={values} set={set} />,
    run: (reason, { reference, proof, file, sha256 }) =>
      act.prove(delivery, reason, {
        ...(reference && { reference }),
        ...(proof && { proof }),
        ...(file && { file }),
        ...(sha256 && { sha256 }),
      }),
  };
}

function assigned(delivery: Delivery): Made {
  return {
    verb: "Assign",
    consequence: "It is this person's to look at. Nothing is sent by that.",
    done: "Assigned",
    fields: (values, set) => (
      <TextInput
        label="To whom"
        description="A name; empty: nobody."
        maxLength={100}
        value={values.assignee ?? prefs.get().actor}
        onChange={(event) => set({ assignee: event.currentTarget.value })}
      />
    ),
    run: (reason, { assignee = prefs.get().actor }) =>
      assign(delivery, reason, assignee.trim() || null),
  };
}

function redrive(delivery: Delivery, lane: Recipient | undefined): Made {
  const endpoints = (lane?.endpoints ?? []).map((one) => one.name);
  return {
    verb: "Redrive",
    consequence: `It returns to the lane of ${delivery.recipient} with all its retries, under the same key: a partner that has it already will call it a duplicate.`,
    done: "Returned to its lane",
    fields: (values, set) => (
      <OverrideFields delivery={delivery} endpoints={endpoints} values={values} set={set} kept />
    ),
    run: async (reason, values) => {
      const policy = settingsOf(values);
      return act.redrive(delivery, reason, {
        ...(values.endpoint && { endpoint: values.endpoint }),
        ...(policy && { policy: { ...chosen(delivery), ...policy } }),
      });
    },
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
