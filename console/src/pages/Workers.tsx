/** Who sends: each worker with its load. */

import { useWorkers } from "../api/queries";
import type { Worker } from "../api/types";
import { PageHead } from "../app/PageHead";
import { count } from "../logic/numbers";
import { gateWord } from "../logic/words";
import { Facts } from "../parts/Facts";
import { Section } from "../parts/Section";
import { Asked } from "../parts/States";
import { Label } from "../parts/Status";
import { Time } from "../time/Time";
import { Resources } from "./Overview";

export default function Workers() {
  const workers = useWorkers();
  return (
    <>
      <PageHead title="Workers">
        <p className="muted">
          The process that owns the store. Today one worker owns all lanes; a new owner raises the
          epoch.
        </p>
      </PageHead>
      <Asked query={workers}>
        {(found) => (
          <>
            {found.map((worker) => (
              <One key={worker.id} worker={worker} />
            ))}
          </>
        )}
      </Asked>
    </>
  );
}

function One({ worker }: { worker: Worker }) {
  return (
    <Section title={worker.id}>
      <div className="halves">
        <Facts
          facts={[
            [
              "State",
              worker.held ? (
                <Label key="state" tone="bad" shape="pause" text={gateWord(worker.held)} />
              ) : (
                <Label key="state" tone="ok" shape="full" text="sends" />
              ),
            ],
            [
              "Intake",
              worker.ready ? (
                <Label key="intake" tone="ok" shape="full" text="accepts" />
              ) : (
                <Label key="intake" tone="bad" shape="cross" text="refuses" />
              ),
            ],
            ["Owner since", <Time key="since" at={worker.started_at} />],
            ["Epoch", worker.epoch],
            [
              "Owner before",
              worker.clean
                ? "ended in good order"
                : "ended abruptly: what was due is sent with care",
            ],
            ["Lanes", count(worker.lanes)],
            ["In memory", `${count(worker.buffered)} deliveries`],
            ["Commits since start", count(worker.commits)],
          ]}
        />
        <Resources worker={worker} />
      </div>
    </Section>
  );
}
