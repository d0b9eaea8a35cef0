/** Who sends: each worker with its lease, its lanes, and of the one that answers its load. */

import { Link } from "wouter";
import { useWorkers } from "../api/queries";
import type { Member, Worker } from "../api/types";
import { PageHead } from "../app/PageHead";
import { count } from "../logic/numbers";
import { gateWord } from "../logic/words";
import { Facts } from "../parts/Facts";
import { Section } from "../parts/Section";
import { spoolFacts } from "../parts/Spool";
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
          The processes that share the store, and how many lanes each owns. A new life of a process
          has a new epoch.
        </p>
      </PageHead>
      <Asked query={workers}>
        {(found) => (
          <>
            <Apart workers={found} />
            {found.map((worker) => (
              <One key={worker.epoch} worker={worker} />
            ))}
          </>
        )}
      </Asked>
    </>
  );
}

/** Says that workers started with different configurations: one of them was forgotten. */
function Apart({ workers }: { workers: Member[] }) {
  const known = [...new Set(workers.map((one) => one.configuration))]
    .filter((version) => version > 0)
    .sort((one, other) => one - other);
  if (known.length < 2) return null;
  return (
    <p role="status">
      <Label tone="warn" shape="half" text={`Started with versions ${known.join(", ")}`} /> of the
      configuration. See what differs under <Link href="/settings">Settings</Link>, then restart the
      older ones.
    </p>
  );
}

function One({ worker }: { worker: Member }) {
  return (
    <Section title={worker.name || `epoch ${worker.epoch}`}>
      <div className="halves">
        <Facts
          facts={[
            ["Host", `${worker.host}, process ${worker.pid}, version ${worker.version}`],
            [
              "Started",
              <>
                <Time key="since" at={worker.started_at} />
                {worker.configuration
                  ? `, with version ${worker.configuration} of the configuration`
                  : null}
              </>,
            ],
            ["Epoch", worker.epoch],
            [
              "Lease",
              worker.lease_until ? (
                <Time key="lease" at={worker.lease_until} />
              ) : (
                "none: it owns everything"
              ),
            ],
            ["Lanes", `${count(worker.lanes)} of a share of ${count(worker.share)}`],
            [
              "Under way",
              `${count(worker.in_flight)} of ${count(worker.open_slots)} slots, which grow to ${count(worker.slots)}`,
            ],
            ...(worker.leaving
              ? ([["Leaving", "it gives its lanes away"]] as [string, string][])
              : []),
            ...(worker.load ? told(worker.load) : []),
          ]}
        />
        {worker.load ? <Resources worker={worker.load} /> : null}
      </div>
    </Section>
  );
}

function told(load: Worker): [string, React.ReactNode][] {
  return [
    [
      "State",
      load.held ? (
        <Label key="state" tone="bad" shape="pause" text={gateWord(load.held)} />
      ) : (
        <Label key="state" tone="ok" shape="full" text="sends" />
      ),
    ],
    [
      "Intake",
      load.ready ? (
        <Label key="intake" tone="ok" shape="full" text="accepts" />
      ) : (
        <Label key="intake" tone="bad" shape="cross" text="refuses" />
      ),
    ],
    [
      "Owner before",
      load.clean ? "ended in good order" : "ended abruptly: what was due is sent with care",
    ],
    ["In memory", `${count(load.buffered)} deliveries`],
    ["Commits since start", count(load.commits)],
    ...spoolFacts(load.spool),
  ];
}
