/** Why not now: every closed gate, in the order in which they are asked, with the time it opens. */

import type { Waiting } from "../api/types";
import { gateWord } from "../logic/words";
import { Time } from "../time/Time";

export function Gates({ gates, zone }: { gates: Waiting[]; zone?: string }) {
  return (
    <ol className="gates">
      {gates.map((gate, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the same gate may be closed twice
        <li key={`${gate.gate}-${index}`}>
          <span className="gate-name">{gateWord(gate.gate)}</span>
          <span className="gate-until">
            {gate.until ? (
              <>
                opens <Time at={gate.until} as="until" past="now" zone={zone} />
              </>
            ) : (
              "not by time alone"
            )}
          </span>
          {gate.reason && <span className="gate-reason muted">{gate.reason}</span>}
        </li>
      ))}
    </ol>
  );
}
