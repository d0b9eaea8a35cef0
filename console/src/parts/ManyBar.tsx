/** What can be done with the marked deliveries; the list stands still while some are marked. */

import { Button, Group, Modal, Progress, Stack, Textarea } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { act, type SeenDelivery } from "../api/actions";
import { currentOf } from "../api/client";
import type { Delivery } from "../api/types";
import { each, type Result } from "../logic/many";
import { inShort } from "../logic/meanwhile";
import { plural } from "../logic/numbers";
import { short } from "../logic/words";

interface Verb {
  name: string;
  /** Deliveries in this status can take it. */
  from: Delivery["status"];
  danger: boolean;
  says: string;
  run: (seen: SeenDelivery, reason: string) => Promise<unknown>;
}

const VERBS: Verb[] = [
  { name: "Redrive", from: "dead", danger: false, says: "return to their lanes", run: act.redrive },
  { name: "Discard", from: "dead", danger: true, says: "are given up", run: act.discard },
  { name: "Cancel", from: "pending", danger: true, says: "are given up", run: act.cancel },
  {
    name: "Undo discard",
    from: "discarded",
    danger: false,
    says: "return to review",
    run: act.undo,
  },
];

export function ManyBar({ marked, clear }: { marked: Delivery[]; clear: () => void }) {
  const [verb, setVerb] = useState<Verb | null>(null);
  // The report stays although what was acted on has left the list, and its mark with it.
  if (marked.length === 0 && verb === null) return null;
  return (
    <div className="many-bar" role="toolbar" aria-label="Actions on marked deliveries">
      <b className="num">{marked.length} marked</b>
      {VERBS.map((one) => {
        const able = marked.filter((delivery) => delivery.status === one.from).length;
        return (
          <Button
            key={one.name}
            size="xs"
            variant="default"
            disabled={able === 0}
            onClick={() => setVerb(one)}
          >
            {one.name}
            {able > 0 && able < marked.length && ` ${able}`}
          </Button>
        );
      })}
      <Button size="xs" variant="subtle" onClick={clear}>
        Unmark
      </Button>
      <Modal
        opened={verb !== null}
        onClose={() => setVerb(null)}
        title={verb?.name}
        lockScroll={false}
        centered
      >
        {verb && (
          <ManyForm
            verb={verb}
            marked={marked.filter((one) => one.status === verb.from)}
            close={() => setVerb(null)}
            finish={() => {
              setVerb(null);
              clear();
            }}
          />
        )}
      </Modal>
    </div>
  );
}

function refusal(error: unknown): string {
  const current = currentOf(error);
  if (current) return inShort(current);
  return error instanceof Error ? error.message : String(error);
}

interface FormProps {
  verb: Verb;
  marked: Delivery[];
  close: () => void;
  finish: () => void;
}

function ManyForm({ verb, marked, close, finish }: FormProps) {
  // What was marked when the dialog opened is what is acted on, whatever the list does meanwhile.
  const [seen] = useState(marked);
  const [reason, setReason] = useState("");
  const [error, setError] = useState<string | null>(null);
  const [result, setResult] = useState<Result | null>(null);
  const [over, setOver] = useState(false);
  const queries = useQueryClient();

  async function submit(event: FormEvent) {
    event.preventDefault();
    if (!reason.trim()) {
      setError("Say why: it stands in the audit journal.");
      return;
    }
    setResult({ done: 0, refused: [] });
    await each(seen, (one) => verb.run(one, reason.trim()), refusal, setResult);
    setOver(true);
    await queries.invalidateQueries();
  }

  if (result !== null) {
    const handled = result.done + result.refused.length;
    return (
      <Stack gap="sm">
        <Progress value={(handled / seen.length) * 100} aria-label="Progress" />
        <p role="status" className="num">
          {handled} of {seen.length}: {result.done} done, {result.refused.length} refused
        </p>
        {result.refused.length > 0 && (
          <ul className="refusals">
            {result.refused.map(({ id, why }) => (
              <li key={id}>
                <span className="mono">{short(id)}</span> {why}
              </li>
            ))}
          </ul>
        )}
        <Group justify="flex-end">
          <Button onClick={finish} disabled={!over}>
            Close
          </Button>
        </Group>
      </Stack>
    );
  }
  return (
    <form onSubmit={(event) => void submit(event)}>
      <Stack gap="sm">
        <p>
          {plural(seen.length, "delivery", "deliveries")}: {verb.says}, one after the other. Those
          that have changed meanwhile are refused and listed.
        </p>
        <Textarea
          label="Reason"
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
          <Button type="submit" color={verb.danger ? "red" : undefined}>
            {verb.name} {seen.length}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
