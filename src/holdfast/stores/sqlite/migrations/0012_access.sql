-- Users, tokens, sessions and elevations, as JSON.
CREATE TABLE access_records (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    revision INTEGER NOT NULL CHECK (revision > 0),
    body TEXT NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX access_records_until ON access_records (until) WHERE until < 9007199254740991;

-- Whose an audit line is ('': of no single account), and its place in the chain.
ALTER TABLE notes ADD COLUMN account TEXT NOT NULL DEFAULT '';
ALTER TABLE notes ADD COLUMN number INTEGER;
ALTER TABLE notes ADD COLUMN hash BLOB;

CREATE UNIQUE INDEX notes_number ON notes (number) WHERE number IS NOT NULL;
CREATE INDEX notes_unsealed ON notes (place) WHERE number IS NULL;
