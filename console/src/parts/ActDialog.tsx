/** One dialog for every action: what will happen, why, and what the API said when it refused. */

import { Button, Group, Modal, Stack, Textarea } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useState } from "react";

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
  fields?: ReactNode;
  /** Label of the reason, where it is more than a reason. */
  reasonLabel?: string;
  run: (reason: string) => Promise<unknown>;
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
      {act && <ActForm act={act} close={close} />}
    </Modal>
  );
}

function ActForm({ act, close }: { act: Act; close: () => void }) {
  const [reason, setReason] = useState("");
  const [error, setError] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const queries = useQueryClient();

  async function submit(event: FormEvent) {
    event.preventDefault();
    if (!reason.trim()) {
      setError("Say why: it stands in the audit journal.");
      return;
    }
    setBusy(true);
    try {
      await act.run(reason.trim());
      notifications.show({ message: act.done, color: "green" });
      close();
    } catch (refused) {
      setError(refused instanceof Error ? refused.message : String(refused));
    } finally {
      setBusy(false);
      await queries.invalidateQueries();
    }
  }

  return (
    <form onSubmit={(event) => void submit(event)}>
      <Stack gap="sm">
        <p>{act.consequence}</p>
        {act.fields}
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
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={close}>
            Back
          </Button>
          <Button type="submit" color={act.danger ? "red" : undefined} loading={busy}>
            {act.verb}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
