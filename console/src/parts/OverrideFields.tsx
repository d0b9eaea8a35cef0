/** What holds for one delivery only: endpoint and policy, each beside what holds without it. */

import { Button, NativeSelect, NumberInput, Textarea, TextInput } from "@mantine/core";
import { useState } from "react";
import { useFlow } from "../api/queries";
import type { Delivery, StepPolicy } from "../api/types";
import {
  chosen,
  type Filled,
  filled,
  MEANINGS,
  MORE,
  OWN,
  overridden,
  present,
  RETRIES,
  SECONDS,
  SHAPED,
  wrongField,
  wrongMore,
} from "../logic/policy";

interface Props {
  delivery: Delivery;
  /** Endpoints of its recipient. */
  endpoints: string[];
  values: Filled;
  set: (part: Filled) => void;
  /** What was chosen for it before holds on where nothing else is chosen now. */
  kept?: boolean;
}

export function OverrideFields({ delivery, endpoints, values, set, kept = false }: Props) {
  const flow = useFlow(delivery.flow);
  const usual = flow.data?.steps.find((one) => one.step === delivery.step)?.policy;
  const policy = kept ? overridden(usual, chosen(delivery)) : usual;
  const before = kept && delivery.endpoint ? `${delivery.endpoint}, as before` : "the usual one";
  const [wanted, setWanted] = useState(false);
  const one = { policy, values, set };
  return (
    <>
      <div className="form-row">
        {endpoints.length > 1 && (
          <NativeSelect
            label="Endpoint"
            description="Of this one only."
            data={[{ value: "", label: before }, ...endpoints]}
            value={values.endpoint ?? ""}
            onChange={(event) => set({ endpoint: event.currentTarget.value })}
          />
        )}
        <PolicyField field={RETRIES} label="Retries" {...one} />
      </div>
      {wanted ? (
        <Others {...one} />
      ) : (
        <div>
          <Button size="xs" variant="default" onClick={() => setWanted(true)}>
            Other policy fields
          </Button>
        </div>
      )}
    </>
  );
}

type OthersProps = Pick<FieldProps, "policy" | "values" | "set">;

function Others({ policy, values, set }: OthersProps) {
  const shaped = SHAPED.map((name) => `${name}: ${present(policy, name) ?? "not set"}`);
  const more = values[MORE] ?? "";
  return (
    <>
      <div className="form-row">
        {OWN.map((field) => (
          <PolicyField
            key={field.name}
            field={field}
            label={field.name}
            policy={policy}
            values={values}
            set={set}
          />
        ))}
      </div>
      <Textarea
        label="More of the policy, as JSON"
        description={shaped.join("; ")}
        classNames={{ input: "mono" }}
        spellCheck={false}
        autosize
        minRows={2}
        maxRows={10}
        value={more}
        onChange={(event) => set({ [MORE]: event.currentTarget.value })}
        error={wrongMore(more)}
      />
    </>
  );
}

interface FieldProps {
  field: (typeof OWN)[number];
  label: string;
  policy: StepPolicy["policy"] | undefined;
  values: Filled;
  set: (part: Filled) => void;
}

function PolicyField({ field, label, policy, values, set }: FieldProps) {
  const value = filled(values, field);
  const put = (text: string) => set({ [`policy.${field.name}`]: text });
  const unit = SECONDS.has(field.name) ? ", s" : "";
  const given = {
    label: `${label}${unit}`,
    title: MEANINGS[field.name],
    description: `Empty: ${present(policy, field.name) ?? "as its policy says"}.`,
    error: wrongField(field, value),
  };
  if (field.kind === "choice") {
    return (
      <NativeSelect
        {...given}
        data={[{ value: "", label: "as it is" }, ...(field.choices ?? [])]}
        value={value}
        onChange={(event) => put(event.currentTarget.value)}
      />
    );
  }
  if (field.kind === "count" || field.kind === "number") {
    return (
      <NumberInput
        {...given}
        min={0}
        allowDecimal={field.kind === "number"}
        value={value}
        onChange={(number) => put(String(number))}
      />
    );
  }
  return (
    <TextInput {...given} value={value} onChange={(event) => put(event.currentTarget.value)} />
  );
}
