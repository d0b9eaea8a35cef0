/** Retry events, newest first; new ones wait behind a button, so that rows do not move. */

import { Button, NativeSelect } from "@mantine/core";
import { useEventPages, useNewest, useRecipients } from "../api/queries";
import { PageHead } from "../app/PageHead";
import { useParamState } from "../app/params";
import { count, plural } from "../logic/numbers";
import { SINCE_CHOICES, since } from "../logic/since";
import { EventTable } from "../parts/EventTable";
import { Older } from "../parts/Older";
import { Empty, Loading, Trouble } from "../parts/States";

const LOOK = 100;
const OUTCOMES = ["success", "failure", "error", "skip"];

export default function Events() {
  const params = useParamState();
  const recipients = useRecipients().data ?? [];
  const choice = params.get("since");
  const filter = {
    ...(params.get("recipient") && { recipient: params.get("recipient") }),
    ...(params.get("delivery_id") && { delivery_id: params.get("delivery_id") }),
    ...(choice && { start: since(choice, Date.now()) }),
  };
  const pages = useEventPages(filter);
  const newest = useNewest(filter, LOOK, 3000);
  const all = pages.data?.pages.flat() ?? [];
  const outcome = params.get("outcome");
  const shown = outcome ? all.filter((event) => event.outcome === outcome) : all;
  const top = all[0]?.position ?? 0;
  const fresh = (newest.data ?? []).filter((event) => event.position > top).length;
  return (
    <>
      <PageHead title="Events">
        <p className="muted">Every try, as it was recorded: what came back and what was decided.</p>
      </PageHead>
      <div className="filters">
        <NativeSelect
          size="xs"
          label="Recipient"
          value={params.get("recipient")}
          onChange={(event) => params.set({ recipient: event.currentTarget.value })}
          data={[
            { value: "", label: "any" },
            ...recipients.map((one) => ({ value: one.recipient, label: one.recipient })),
          ]}
        />
        <NativeSelect
          size="xs"
          label="Outcome, among those loaded"
          value={outcome}
          onChange={(event) => params.set({ outcome: event.currentTarget.value })}
          data={[
            { value: "", label: "any" },
            ...OUTCOMES.map((name) => ({ value: name, label: name })),
          ]}
        />
        <NativeSelect
          size="xs"
          label="Tried in the last"
          value={choice}
          onChange={(event) => params.set({ since: event.currentTarget.value })}
          data={SINCE_CHOICES}
        />
      </div>
      {pages.error && !pages.data && (
        <Trouble error={pages.error} retry={() => void pages.refetch()} />
      )}
      {pages.isPending && <Loading lines={12} />}
      <p className="list-note" role="status">
        {all.length > 0 && `${plural(shown.length, "event")} of ${count(all.length)} loaded`}
        {fresh > 0 && (
          <Button size="compact-xs" variant="light" onClick={() => void pages.refetch()}>
            {fresh === LOOK ? `${LOOK} or more` : fresh} new: show
          </Button>
        )}
      </p>
      {pages.data && shown.length === 0 && (
        <Empty title="No event matches">
          {all.length > 0 && "Older ones may: load them below."}
        </Empty>
      )}
      {shown.length > 0 && <EventTable events={shown} />}
      <Older list={pages} />
    </>
  );
}
