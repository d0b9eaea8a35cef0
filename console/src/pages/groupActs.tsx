/** What a person can make of a failure group as it stands. */

import { NativeSelect, NumberInput, TextInput } from "@mantine/core";
import { type Ignored, make, type SeenGroup } from "../api/groups";
import type { Cause, Group, Nature } from "../api/types";
import { prefs } from "../app/prefs";
import { CAUSES, NATURES } from "../logic/groups";
import type { Act, Values } from "../parts/ActDialog";
import { Choices } from "../parts/Choices";

type Made = Pick<Act, "verb" | "consequence" | "done" | "fields"> & {
  run: (seen: SeenGroup, reason: string, values: Values) => Promise<unknown>;
};

const ASSIGN: Made = {
  verb: "Assign",
  consequence: "It is this person's. Nothing is sent by that.",
  done: "Assigned",
  fields: (values, set) => (
    <TextInput
      label="Owner"
      description="A name; empty: nobody."
      maxLength={100}
      value={values.owner ?? prefs.get().actor}
      onChange={(event) => set({ owner: event.currentTarget.value })}
    />
  ),
  run: (seen, reason, { owner = prefs.get().actor }) =>
    make.assign(seen, reason, owner.trim() || null),
};

const RESOLVE: Made = {
  verb: "Resolve",
  consequence:
    "The cause is gone, you say. A later send that fails the same way brings it back, marked.",
  done: "Resolved",
  run: make.resolve,
};

const IGNORE: Made = {
  verb: "Ignore",
  consequence: "It leaves the open ones, until one of these comes; with neither, for good.",
  done: "Ignored",
  fields: (values, set) => (
    <div className="form-row">
      <TextInput
        type="datetime-local"
        label="Until"
        description="In this browser's time."
        value={values.until ?? ""}
        onChange={(event) => set({ until: event.currentTarget.value })}
      />
      <NumberInput
        label="Or further failures"
        description="So many failed tries."
        min={1}
        value={values.failures ?? ""}
        onChange={(failures) => set({ failures: String(failures) })}
      />
    </div>
  ),
  run: (seen, reason, values) => make.ignore(seen, reason, ended(values)),
};

function ended({ until, failures }: Values): Ignored {
  return {
    ...(until && { until: new Date(until).toISOString() }),
    ...(failures && { failures: Number(failures) }),
  };
}

const REOPEN: Made = {
  verb: "Reopen",
  consequence: "It needs somebody again.",
  done: "Open again",
  run: make.reopen,
};

const BY_RULES = "rules";

/** Nothing is chosen for the person: the wrong word ends deliveries, or sends in vain. */
function judging({ nature }: Group): Made {
  const present = nature ?? BY_RULES;
  return {
    verb: "Judge",
    consequence:
      "It holds for failures that come, over all rules. Permanent: a delivery ends at the first " +
      "one. Temporary: it is retried as its policy retries, unless the partner may have it.",
    done: "Judged",
    fields: (values, set) => (
      <Choices
        label="Its failures are"
        choices={[...Object.entries(NATURES), [BY_RULES, "As the rules say"]]}
        value={values.nature ?? present}
        choose={(chosen) => set({ nature: chosen })}
      />
    ),
    run: async (seen, reason, { nature: chosen = present }) => {
      if (chosen === present) throw new Error("Choose something else than it is now.");
      return make.judge(seen, reason, chosen === BY_RULES ? null : (chosen as Nature));
    },
  };
}

const BY_CLASS = "class";

function attributing({ cause, caused_by }: Group): Made {
  const present = caused_by ? cause : BY_CLASS;
  return {
    verb: "Cause",
    consequence: "It says what lies behind the group. Nothing is decided by that.",
    done: "Said",
    fields: (values, set) => (
      <NativeSelect
        label="What lies behind it"
        value={values.cause ?? present}
        onChange={(event) => set({ cause: event.currentTarget.value })}
        data={[
          { value: BY_CLASS, label: "As its class suggests" },
          ...Object.entries(CAUSES).map(([value, label]) => ({ value, label })),
        ]}
      />
    ),
    run: async (seen, reason, { cause: chosen = present }) => {
      if (chosen === present) throw new Error("Choose something else than it is now.");
      return make.attribute(seen, reason, chosen === BY_CLASS ? null : (chosen as Cause));
    },
  };
}

const OPEN = [ASSIGN, RESOLVE, IGNORE];

/** Return what can be made of it: name on the button -> action on the group as it was seen. */
export function groupActs(group: Group): Record<string, Act> {
  const open = group.status === "open" || group.status === "regressed";
  return Object.fromEntries(
    [...(open ? OPEN : [ASSIGN, REOPEN]), judging(group), attributing(group)].map(
      ({ run, ...rest }) => [
        rest.verb,
        {
          ...rest,
          what: "the group",
          seen: { state: group, subject: group.id },
          again: (current: object) => groupActs(current as Group)[rest.verb] ?? null,
          run: (reason: string, values: Values) => run(group, reason, values),
        },
      ],
    ),
  );
}
