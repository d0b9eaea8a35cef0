/** The audit lines of one thing, as a list: who did what, when and why. */

import { useAudit } from "../api/queries";
import type { Note } from "../api/types";
import { Time } from "../time/Time";
import { Section } from "./Section";

const LINES = 50;

export function People({ id, title = "What people did" }: { id: string; title?: string }) {
  const notes = useAudit(id, LINES);
  if (!notes.data || notes.data.length === 0) return null;
  return (
    <Section title={title}>
      <Notes notes={notes.data} />
    </Section>
  );
}

export function Notes({ notes }: { notes: Note[] }) {
  return (
    <ul className="notes">
      {notes.map((note) => (
        <li key={`${note.at} ${note.action}`}>
          <p>
            <b>{note.actor}</b> {note.action.replaceAll("_", " ")} <Time at={note.at} />
          </p>
          <p className="muted">{note.reason}</p>
        </li>
      ))}
    </ul>
  );
}
