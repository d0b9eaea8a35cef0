/** Starts an operation: what it means is counted first, then how fast, how carefully, and why. */

import {
  Button,
  Checkbox,
  Group,
  Modal,
  NativeSelect,
  NumberInput,
  Stack,
  TextInput,
} from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Link } from "wouter";
import { start, useOperation, usePreview } from "../api/operations";
import { useRecipient } from "../api/queries";
import type { Kind, Operation, Preview } from "../api/types";
import { links } from "../app/links";
import { count, span } from "../logic/numbers";
import {
  amount,
  CANARY_FROM,
  counted,
  type Fields,
  handled,
  KINDS,
  ordered,
  parts,
  recipientOf,
  type Selection,
  standing,
  USUAL,
  walkSeconds,
} from "../logic/operations";
import { short } from "../logic/words";
import { Reason, Ways } from "./Deciding";
import { Scroll } from "./Scroll";
import { Share } from "./Share";
import { Loading, Trouble } from "./States";
import { Label } from "./Status";

/** What somebody wants to act on. */
export interface Wanted extends Selection {
  /** As it is called in the form: `all that match`, `marked`. */
  what: string;
  kinds: Kind[];
}

interface Props {
  wanted: Wanted | null;
  close: () => void;
  /** Called when an operation runs. */
  started?: () => void;
}

export function OperationForm({ wanted, close, started }: Props) {
  return (
    <Modal
      opened={wanted !== null}
      onClose={close}
      title={wanted ? `Act on ${wanted.what}` : ""}
      lockScroll={false}
      size="lg"
    >
      {wanted && <Steps wanted={wanted} close={close} started={started} />}
    </Modal>
  );
}

function Steps({ wanted: given, close, started }: Props & { wanted: Wanted }) {
  // What was chosen when the form opened is what is acted on, whatever the list does meanwhile.
  const [wanted] = useState(given);
  const [running, setRunning] = useState<Operation | null>(null);
  if (running) return <Report begun={running} close={close} />;
  return (
    <Form
      wanted={wanted}
      close={close}
      begun={(operation) => {
        setRunning(operation);
        started?.();
      }}
    />
  );
}

interface FormProps {
  wanted: Wanted;
  close: () => void;
  begun: (operation: Operation) => void;
}

function Form({ wanted, close, begun }: FormProps) {
  const [kind, setKind] = useState<Kind>(wanted.kinds[0] ?? "redrive");
  const [chosen, setChosen] = useState<Partial<Fields>>({});
  const [reason, setReason] = useState("");
  const [error, setError] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const queries = useQueryClient();
  const preview = usePreview(counted(wanted, kind));
  const found = preview.data;
  const number = found?.count ?? 0;
  const fields: Fields = { ...USUAL, canary: number > CANARY_FROM, ...chosen, kind };
  const set = (part: Partial<Fields>) => setChosen((before) => ({ ...before, ...part }));
  const { verb, danger, says } = KINDS[kind];

  async function submit(event: FormEvent) {
    event.preventDefault();
    if (!found) return;
    if (!reason.trim()) {
      setError("Say why: it stands in the audit journal.");
      return;
    }
    setBusy(true);
    const now = new Date();
    const order = ordered(wanted, fields, { cutOff: found.cut_off, reason: reason.trim(), now });
    try {
      begun(await start(order));
    } catch (problem) {
      setError(problem instanceof Error ? problem.message : String(problem));
    } finally {
      setBusy(false);
      await queries.invalidateQueries({ predicate: ({ meta }) => meta?.still !== true });
    }
  }

  return (
    <form onSubmit={(event) => void submit(event)}>
      <Stack gap="sm">
        {wanted.kinds.length > 1 && (
          <NativeSelect
            label="Do"
            value={kind}
            onChange={(event) => setKind(event.currentTarget.value as Kind)}
            data={wanted.kinds.map((one) => ({ value: one, label: KINDS[one].verb }))}
          />
        )}
        <p>{says}</p>
        {preview.isPending && <Loading lines={3} />}
        {preview.error && <Trouble error={preview.error} retry={() => void preview.refetch()} />}
        {found && <Counted found={found} wanted={wanted} />}
        <Parameters fields={fields} set={set} recipient={recipientOf(wanted)} />
        {kind === "redrive" && <Care fields={fields} set={set} number={number} />}
        <Reason value={reason} set={setReason} error={error} />
        <Ways
          close={close}
          verb={found ? `${verb} ${found.at_least ? "at least " : ""}${count(number)}` : verb}
          danger={danger}
          busy={busy}
          disabled={!found || number === 0}
        />
      </Stack>
    </form>
  );
}

/** How many there are, of whom, and some of them to look at. */
function Counted({ found, wanted }: { found: Preview; wanted: Wanted }) {
  const marked = wanted.ids?.length ?? 0;
  return (
    <div className="counted">
      <p role="status">
        <b>{amount(found.count, found.at_least)}</b>
        {marked > found.count && ` of the ${count(marked)} marked; the others have changed`}
        {!wanted.ids && (
          <>
            {" "}
            {found.count === 1 ? "matches" : "match"} <code>{wanted.q}</code>. What comes later is
            left alone.
          </>
        )}
      </p>
      {found.sample.length > 0 && (
        <details>
          <summary>
            Look at{" "}
            {found.sample.length === found.count ? "them" : `${found.sample.length} of them`}
          </summary>
          <Scroll label="Sample">
            <table className="table small">
              <tbody>
                {found.sample.map((one) => (
                  <tr key={one.id}>
                    <td>
                      <Link href={links.delivery(one.id)} className="mono" target="_blank">
                        {short(one.id)}
                      </Link>
                    </td>
                    <td>{one.recipient}</td>
                    <td className="grow">
                      <span className="clip" title={one.reason ?? ""}>
                        {one.reason ?? one.code ?? "–"}
                      </span>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroll>
        </details>
      )}
      {found.strata.length > 1 && (
        <ul className="strata num">
          {found.strata.slice(0, STRATA).map((one) => (
            <li key={`${one.recipient} ${one.failure_class}`}>
              {one.recipient} <span className="muted">{one.failure_class ?? "no failure"}</span>
            </li>
          ))}
          {found.strata.length > STRATA && (
            <li className="muted">and {count(found.strata.length - STRATA)} more kinds</li>
          )}
        </ul>
      )}
    </div>
  );
}

const STRATA = 6;

interface Filling {
  fields: Fields;
  set: (part: Partial<Fields>) => void;
}

function Parameters({ fields, set, recipient }: Filling & { recipient: string }) {
  const { kind } = fields;
  return (
    <div className="form-row">
      {kind === "reschedule" && (
        <TextInput
          type="datetime-local"
          step={1}
          label="Not before"
          description="In this browser's time; empty: now."
          value={fields.at}
          onChange={(event) => set({ at: event.currentTarget.value })}
        />
      )}
      {kind === "priority" && (
        <NumberInput
          label="Priority"
          description="0 to 9; 9 goes first."
          min={0}
          max={9}
          value={fields.priority}
          onChange={(priority) => set({ priority })}
        />
      )}
      {(kind === "endpoint" || kind === "redrive") && (
        <Endpoint
          recipient={recipient}
          must={kind === "endpoint"}
          value={fields.endpoint}
          set={(endpoint) => set({ endpoint })}
        />
      )}
      <NumberInput
        label="At most per second"
        description="Deliveries changed."
        min={0.01}
        max={10_000}
        value={fields.rate}
        onChange={(rate) => set({ rate })}
      />
      {kind === "discard" && (
        <NumberInput
          label="Undo for, hours"
          description="After it has ended."
          min={0}
          max={168}
          value={fields.undo}
          onChange={(undo) => set({ undo })}
        />
      )}
    </div>
  );
}

interface EndpointProps {
  recipient: string;
  must: boolean;
  value: string;
  set: (name: string) => void;
}

/** A name to choose where the recipient is known, else one to type. */
function Endpoint({ recipient, must, value, set }: EndpointProps) {
  const lane = useRecipient(recipient, recipient !== "");
  const names = (lane.data?.endpoints ?? []).map((one) => one.name);
  if (!must && names.length < 2) return null;
  if (names.length > 0) {
    const none = must ? { value: "", label: "choose" } : { value: "", label: "the usual one" };
    return (
      <NativeSelect
        label="Endpoint"
        description={`Of ${recipient}.`}
        required={must}
        value={value}
        onChange={(event) => set(event.currentTarget.value)}
        data={[none, ...names]}
      />
    );
  }
  return (
    <TextInput
      label="Endpoint"
      description="A name that the recipients have."
      required
      value={value}
      onChange={(event) => set(event.currentTarget.value)}
    />
  );
}

function Care({ fields, set, number }: Filling & { number: number }) {
  const most = Number(fields.rate) || 1;
  const walk = walkSeconds(number, fields.canary ? 1 : most, most);
  return (
    <>
      <div className="canary-choice">
        <Checkbox
          label="A canary first"
          description="A sample of every recipient and failure class goes first. The rest follows, faster and faster, only when enough of it is delivered."
          checked={fields.canary}
          onChange={(event) => set({ canary: event.currentTarget.checked })}
        />
        {fields.canary && (
          <div className="form-row">
            <NumberInput
              label="Sample"
              min={1}
              max={200}
              value={fields.size}
              onChange={(size) => set({ size })}
            />
            <NumberInput
              label="Success surely above, %"
              description="19 of 20 are surely (95 %) above 80 %."
              min={0}
              max={99}
              value={fields.bound}
              onChange={(bound) => set({ bound })}
            />
          </div>
        )}
      </div>
      <div className="form-row">
        <NumberInput
          label="Stop when so many fail again, %"
          description="Surely more than this; 100 never stops."
          min={0}
          max={100}
          value={fields.stop}
          onChange={(stop) => set({ stop })}
        />
        <NumberInput
          label="At most without an outcome"
          description="Redriven and under way at once."
          min={1}
          max={10_000}
          value={fields.concurrency}
          onChange={(concurrency) => set({ concurrency })}
        />
      </div>
      {number > 0 && (
        <p className="muted">
          All are returned to their lanes within {span(Math.max(1, walk) * 1000)} at the earliest
          {fields.canary ? ", after the canary" : ""}.
        </p>
      )}
    </>
  );
}

/** How it gets on; it stays although what was acted on has left the list. */
function Report({ begun, close }: { begun: Operation; close: () => void }) {
  const now = useOperation(begun.id).data ?? begun;
  const { tone, shape, word, says } = standing(now);
  const { done, of } = handled(now);
  return (
    <Stack gap="sm">
      <p role="status" className="lane-line">
        <Label tone={tone} shape={shape} text={word} />
        <span className="num">
          {count(done)} of {count(of)}
        </span>
        {says && <span className="muted">{says}</span>}
      </p>
      <Share parts={parts(now)} of={of} label="Progress" />
      <p className="muted">
        It is saved and goes on without this page.{" "}
        <Link href={links.operation(now.id)}>Open it</Link> to pause or cancel it.
      </p>
      <Group justify="flex-end">
        <Button onClick={close} data-autofocus>
          Close
        </Button>
      </Group>
    </Stack>
  );
}
