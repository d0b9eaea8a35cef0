/** One dialog for every action: what will happen, why, and what the API said when it refused. */

import { Button, Group, Modal, Stack, Textarea } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useState } from "react";
import { currentOf } from "../api/client";
import { Meanwhile } from "./Meanwhile";

/** What was filled in besides the reason, by the names of the fields. */
export type Values = Record<string, string>;

export interface Act {
  /** Imperative, as on the button: `Redrive`. */
  verb: string;
  /** What it acts on, for the title. */
  what: string;
  /** One sentence: the consequence. */
  consequence: string;
  danger?: boolean;
  /** Said when it is done. */
  done: string;
  /** Further fields, above the reason. */
  fields?: (values: Values, set: (part: Values) => void) => ReactNode;
  /** Label of the reason, where it is more than a reason. */
  reasonLabel?: string;
  /** The state that the person saw, and how the journal calls the thing. */
  seen?: { state: object; subject: string };
  /** The same on the present state, when somebody was faster; null: it makes no sense any more. */
  again?: (current: object) => Act | null;
  run: (reason: string, values: Values) => Promise<unknown>;
}

interface Props {
  act: Act | null;
  close: () => void;
}

export function ActDialog({ act, close }: Props) {
  return (
    <Modal
      opened={act !== null}
      onClose={close}
      title={act ? `${act.verb} ${act.what}` : ""}
      lockScroll={false}
      centered
      size="md"
    >
      {act && <ActForm asked={act} close={close} />}
    </Modal>
  );
}

interface Faster {
  seen: { state: object; subject: string };
  current: object;
}

function ActForm({ asked, close }: { asked: Act; close: () => void }) {
  const [act, setAct] = useState<Act | null>(asked);
  const [faster, setFaster] = useState<Faster | null>(null);
  const [reason, setReason] = useState("");
  const [values, setValues] = useState<Values>({});
  const [error, setError] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const queries = useQueryClient();

  function refused(act: Act, problem: unknown) {
    const current = currentOf(problem);
    if (current && act.seen) {
      setFaster({ seen: act.seen, current });
      setAct(act.again?.(current) ?? null);
      setError(null);
    } else setError(problem instanceof Error ? problem.message : String(problem));
  }

  async function submit(event: FormEvent) {
    event.preventDefault();
    if (!act) return;
    if (!reason.trim()) {
      setError("Say why: it stands in the audit journal.");
      return;
    }
    setBusy(true);
    try {
      await act.run(reason.trim(), values);
      notifications.show({ message: act.done, color: "green" });
      close();
    } catch (problem) {
      refused(act, problem);
    } finally {
      setBusy(false);
      await queries.invalidateQueries();
    }
  }

  return (
    <form onSubmit={(event) => void submit(event)}>
      <Stack gap="sm">
        {faster && <Meanwhile {...faster} possible={act !== null} verb={asked.verb} />}
        {act && <p>{act.consequence}</p>}
        {act?.fields?.(values, (part) => setValues((before) => ({ ...before, ...part })))}
        {act && (
          <Textarea
            label={act.reasonLabel ?? "Reason"}
            description="Kept in the audit journal, with your name."
            value={reason}
            onChange={(event) => setReason(event.currentTarget.value)}
            maxLength={500}
            autosize
            minRows={2}
            withAsterisk
            error={error}
            data-autofocus
          />
        )}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={close}>
            Back
          </Button>
          {act && (
            <Button type="submit" color={act.danger ? "red" : undefined} loading={busy}>
              {faster ? `${act.verb} all the same` : act.verb}
            </Button>
          )}
        </Group>
      </Stack>
    </form>
  );
}
