/** One dialog for every action: what will happen, why, and what the API said when it refused. */

import { Modal, Stack } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useState } from "react";
import { currentOf } from "../api/client";
import { useMay } from "../api/me";
import type { Permission } from "../api/types";
import { Reason, Ways } from "./Deciding";
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
  /** What the person must be allowed; without: `act`. */
  needs?: Permission;
  /** Said when it is done. */
  done: string;
  /** Further fields, above the reason. */
  fields?: (values: Values, set: (part: Values) => void) => ReactNode;
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
      size={act?.fields ? "lg" : "md"}
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
  const needs = asked.needs ?? "act";
  const may = useMay(needs);

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
        {!may && (
          <p role="alert">
            Your role may not do this: it needs the permission <code>{needs}</code>.
          </p>
        )}
        {act?.fields?.(values, (part) => setValues((before) => ({ ...before, ...part })))}
        {act && <Reason value={reason} set={setReason} error={error} />}
        <Ways
          close={close}
          verb={act && (faster ? `${act.verb} all the same` : act.verb)}
          danger={act?.danger}
          busy={busy}
          disabled={!may}
        />
      </Stack>
    </form>
  );
}
