-- Users, tokens, sessions and elevations, as JSON.
CREATE TABLE holdfast.access_records (
    kind text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    revision bigint NOT NULL CHECK (revision > 0),
    body json NOT NULL,
    until bigint NOT NULL,
    PRIMARY KEY (kind, key)
);

CREATE INDEX access_records_until ON holdfast.access_records (until)
WHERE until < 9007199254740991;

-- Whose an audit line is ('': of no single account), and its place in the chain.
ALTER TABLE holdfast.notes ADD COLUMN account text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE holdfast.notes ADD COLUMN number bigint;
ALTER TABLE holdfast.notes ADD COLUMN hash bytea;

CREATE UNIQUE INDEX notes_number ON holdfast.notes (number) WHERE number IS NOT NULL;
CREATE INDEX notes_unsealed ON holdfast.notes (place) WHERE number IS NULL;
