/** Edits a payload as text: what is wrong stands at its place, what differs is seen before it goes. */

import { Button, Checkbox, Textarea } from "@mantine/core";
import { useState } from "react";
import { useLocation } from "wouter";
import { edited, type Seen } from "../api/review";
import type { Delivery } from "../api/types";
import { links } from "../app/links";
import { plural } from "../logic/numbers";
import { changes, wrong } from "../logic/payload";
import { type Filled, settingsOf } from "../logic/policy";
import { short } from "../logic/words";
import { type Act, ActDialog } from "./ActDialog";
import { pretty } from "./Json";
import { OverrideFields } from "./OverrideFields";
import { Scroll } from "./Scroll";

interface Props {
  delivery: Delivery;
  seen: Seen;
  /** Endpoints of its recipient. */
  names: string[];
}

export function PayloadEditor({ delivery, seen, names }: Props) {
  const [original] = useState(() => pretty(seen.text));
  const [text, setText] = useState(original);
  const [values, setValues] = useState<Filled>({});
  const [doubt, setDoubt] = useState(false);
  const [asked, setAsked] = useState<Act | null>(null);
  const [, go] = useLocation();
  const trouble = wrong(text);
  const different = trouble === null ? changes(original, text) : [];
  const open = delivery.status === "dead";

  function act(current: Delivery): Act | null {
    if (current.status !== "dead") return null;
    return {
      verb: "Send edited",
      what: `in place of ${short(delivery.id)}`,
      consequence: `${plural(different.length, "place differs", "places differ")}. It goes as a delivery of its own, with its own key: a partner that has the old one will take it for new. The old one is discarded and keeps its payload.`,
      done: "The edited one is on its way",
      seen: { state: current, subject: delivery.id },
      again: (now) => act(now as Delivery),
      run: async (reason) => {
        const done = await edited(current, reason, {
          payload: text,
          endpoint: values.endpoint,
          policy: settingsOf(values),
          inDoubt: doubt,
        });
        if (done.child) go(links.delivery(done.child.id));
      },
    };
  }

  return (
    <div className="editor">
      <Textarea
        label="Payload as JSON"
        description={
          seen.masked.length > 0
            ? `*** stands for what you may not see; left as it is, the old value stays (${seen.masked.join(", ")}).`
            : "Numbers go as they are written."
        }
        classNames={{ input: "mono" }}
        spellCheck={false}
        autosize
        minRows={6}
        maxRows={24}
        readOnly={!open}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        error={trouble}
      />
      {open && (
        <>
          <OverrideFields
            delivery={delivery}
            endpoints={names}
            values={values}
            set={(part) => setValues((before) => ({ ...before, ...part }))}
          />
          {delivery.in_doubt && (
            <Checkbox
              label="Send it although the old one may have arrived: then both have"
              checked={doubt}
              onChange={(event) => setDoubt(event.currentTarget.checked)}
            />
          )}
          <Differences different={different} />
          <div className="actions">
            <Button
              size="xs"
              disabled={trouble !== null || different.length === 0}
              onClick={() => setAsked(act(delivery))}
            >
              Send edited
            </Button>
            <Button
              size="xs"
              variant="default"
              disabled={text === original}
              onClick={() => setText(original)}
            >
              Back to the original
            </Button>
          </div>
        </>
      )}
      <ActDialog act={asked} close={() => setAsked(null)} />
    </div>
  );
}

function Differences({ different }: { different: ReturnType<typeof changes> }) {
  if (different.length === 0) return <p className="muted">Nothing differs from the original.</p>;
  return (
    <Scroll label="What differs">
      <table className="table diff">
        <thead>
          <tr>
            <th scope="col">Where</th>
            <th scope="col">Original</th>
            <th scope="col">Edited</th>
          </tr>
        </thead>
        <tbody>
          {different.map((change) => (
            <tr key={change.path}>
              <th scope="row">
                <code>{change.path || "the whole"}</code>
              </th>
              <td>
                <code>{change.before}</code>
              </td>
              <td>
                <code>{change.after}</code>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}
