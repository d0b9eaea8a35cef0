-- The audit journal is read by time.
CREATE INDEX notes_at ON holdfast.notes (at, place);
