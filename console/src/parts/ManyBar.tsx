/** What can be done with the marked deliveries; the list stands still while some are marked. */

import { Button } from "@mantine/core";
import { useState } from "react";
import type { Delivery } from "../api/types";
import { count } from "../logic/numbers";
import { IDS_MAX, KIND_NAMES, KINDS } from "../logic/operations";
import { OperationForm, type Wanted } from "./OperationForm";

interface Props {
  marked: Delivery[];
  clear: () => void;
  /** Acts on all that match; null: what is shown is all there is. */
  all: { says: string; act: () => void } | null;
}

export function ManyBar({ marked, clear, all }: Props) {
  const [wanted, setWanted] = useState<Wanted | null>(null);
  const groups = KIND_NAMES.map((kind) => ({
    kind,
    able: marked.filter((delivery) => delivery.status === KINDS[kind].from),
  })).filter(({ able }) => able.length > 0);
  const many = marked.length > IDS_MAX;
  return (
    <>
      {marked.length > 0 && (
        <div className="many-bar" role="toolbar" aria-label="Actions on marked deliveries">
          <b className="num">{count(marked.length)} marked</b>
          {many && <span className="muted">at most {count(IDS_MAX)} can be named</span>}
          {groups.map(({ kind, able }) => (
            <Button
              key={kind}
              size="xs"
              variant="default"
              disabled={many}
              onClick={() =>
                setWanted({
                  q: "",
                  ids: able.map((one) => one.id),
                  what: `${count(able.length)} marked`,
                  kinds: [kind],
                })
              }
            >
              {KINDS[kind].verb}
              {able.length < marked.length && ` ${able.length}`}
            </Button>
          ))}
          {all && (
            <Button size="xs" variant="light" onClick={all.act}>
              {all.says}
            </Button>
          )}
          <Button size="xs" variant="subtle" onClick={clear}>
            Unmark
          </Button>
        </div>
      )}
      {/* The form stays although what was acted on has left the list, and its marks with it. */}
      <OperationForm wanted={wanted} close={() => setWanted(null)} started={clear} />
    </>
  );
}
