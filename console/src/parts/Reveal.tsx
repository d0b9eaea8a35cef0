/** A payload: shown on demand, masked, with a reason, which the audit journal keeps. */

import { Button } from "@mantine/core";
import { useState } from "react";
import { useMay } from "../api/me";
import { reveal } from "../api/review";
import { type Act, ActDialog } from "./ActDialog";
import { Json } from "./Json";

export function Reveal({ delivery, what }: { delivery: string; what: string }) {
  const may = useMay("reveal");
  const [asked, setAsked] = useState<Act | null>(null);
  const [shown, setShown] = useState<string | null>(null);
  if (!may) return <span className="muted">encrypted; your role may not see it</span>;
  const ask: Act = {
    verb: "Reveal payload",
    what,
    needs: "reveal",
    consequence:
      "You see what arrived, masked as its flow says. That you looked, and why, stands in the audit journal.",
    done: "Revealed",
    run: async (reason) => setShown((await reveal(delivery, reason)).text),
  };
  return (
    <>
      {shown === null ? (
        <Button size="compact-xs" variant="default" onClick={() => setAsked(ask)}>
          Reveal
        </Button>
      ) : (
        <Json text={shown} label="Payload" />
      )}
      <ActDialog act={asked} close={() => setAsked(null)} />
    </>
  );
}
