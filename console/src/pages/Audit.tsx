/** Who did what to which thing, and why; newest first. */

import { TextInput } from "@mantine/core";
import { Link } from "wouter";
import { useAudit } from "../api/queries";
import type { Note } from "../api/types";
import { links, place } from "../app/links";
import { PageHead } from "../app/PageHead";
import { useParamState } from "../app/params";
import { short } from "../logic/words";
import { Scroll } from "../parts/Scroll";
import { Asked, Empty } from "../parts/States";
import { Time } from "../time/Time";

const LIMIT = 200;
const OF_LANES = new Set(["pause", "resume", "open_breaker", "reset_breaker"]);

export default function Audit() {
  const params = useParamState();
  const subject = params.get("subject");
  const notes = useAudit(subject || undefined, LIMIT);
  return (
    <>
      <PageHead title="Audit">
        <p className="muted">What people did, and why. Decisions of the engine are events.</p>
      </PageHead>
      <div className="filters">
        <TextInput
          size="xs"
          className="id-field"
          label="About"
          placeholder="a whole id or a recipient"
          value={subject}
          onChange={(event) => params.set({ subject: event.currentTarget.value })}
        />
      </div>
      <Asked query={notes}>
        {(found) =>
          found.length === 0 ? (
            <Empty title={subject ? "Nobody did anything to it" : "Nobody did anything yet"} />
          ) : (
            <>
              <p className="list-note">
                {found.length === LIMIT ? `the newest ${LIMIT} lines` : `all ${found.length} lines`}
              </p>
              <Notes notes={found} />
            </>
          )
        }
      </Asked>
    </>
  );
}

function Notes({ notes }: { notes: Note[] }) {
  return (
    <Scroll label="Audit journal">
      <table className="table stack-phone">
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col">Who</th>
            <th scope="col">Did</th>
            <th scope="col">To</th>
            <th scope="col" className="grow">
              Why
            </th>
            <th scope="col">Detail</th>
          </tr>
        </thead>
        <tbody>
          {notes.map((note) => (
            <tr key={`${note.at} ${note.action} ${note.subject}`}>
              <td>
                <Time at={note.at} as="absolute" />
              </td>
              <td>{note.actor}</td>
              <td>{note.action.replaceAll("_", " ")}</td>
              <td>
                <Subject note={note} />
              </td>
              <td className="grow">{note.reason}</td>
              <td className="muted">{note.detail}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function Subject({ note }: { note: Note }) {
  const path = place(note.subject) ?? (OF_LANES.has(note.action) ? links.lane(note.subject) : null);
  if (path === null) return note.subject;
  return (
    <Link href={path} className="mono" title={note.subject}>
      {short(note.subject)}
    </Link>
  );
}
