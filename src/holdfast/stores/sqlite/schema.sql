-- The whole schema as the migrations leave it; a test compares both.

-- Who owns the lanes. One row: every commit compares its epoch.
CREATE TABLE owner (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    epoch INTEGER NOT NULL CHECK (epoch >= 0),
    clean INTEGER NOT NULL CHECK (clean IN (0, 1))
) STRICT;

INSERT INTO owner (only, epoch, clean) VALUES (1, 0, 1);

CREATE TABLE messages (
    place INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    flow TEXT NOT NULL,
    key TEXT,
    digest BLOB NOT NULL,
    size INTEGER NOT NULL CHECK (size >= 0),
    value REAL NOT NULL,
    priority INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 9),
    quality INTEGER CHECK (quality BETWEEN 0 AND 100),
    region TEXT,
    consent TEXT,
    not_before INTEGER NOT NULL CHECK (not_before >= 0),
    expires_at INTEGER NOT NULL CHECK (expires_at >= 0),
    created_at INTEGER NOT NULL CHECK (created_at >= 0),
    -- 1: it has no row in `payloads`. SQLite keeps 0 and 1 in no byte, so a purge grows no row.
    purged INTEGER NOT NULL CHECK (purged IN (0, 1)),
    -- What retention has left: 0 the payload, 1 only the key, 2 neither.
    stage INTEGER NOT NULL AS (
        CASE WHEN purged = 0 THEN 0 WHEN key IS NOT NULL THEN 1 ELSE 2 END
    ) VIRTUAL
) STRICT;

CREATE UNIQUE INDEX messages_key ON messages (account, key) WHERE key IS NOT NULL;
CREATE INDEX messages_stage ON messages (stage, created_at);

-- Sealed payloads by the place of their message. They stand alone, in order of arrival, so that a
-- purge of old ones empties whole pages, which are used again; a column of `messages` that becomes
-- NULL would leave holes that no other row fits into.
CREATE TABLE payloads (
    place INTEGER PRIMARY KEY,
    sealed BLOB NOT NULL
) STRICT;

CREATE TABLE deliveries (
    place INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    message_id TEXT NOT NULL,
    account TEXT NOT NULL,
    flow TEXT NOT NULL,
    step TEXT NOT NULL,
    recipient TEXT NOT NULL,
    priority INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 9),
    predecessor TEXT,
    followed INTEGER NOT NULL CHECK (followed IN (0, 1)),
    expires_at INTEGER NOT NULL CHECK (expires_at >= 0),
    created_at INTEGER NOT NULL CHECK (created_at >= 0),
    status TEXT NOT NULL CHECK (status IN ('pending', 'delivered', 'dead', 'discarded')),
    due_at INTEGER NOT NULL CHECK (due_at >= 0),
    revision INTEGER NOT NULL CHECK (revision >= 0),
    generation INTEGER NOT NULL CHECK (generation >= 0),
    attempt INTEGER NOT NULL CHECK (attempt >= 0),
    counted INTEGER NOT NULL CHECK (counted >= 0),
    attempts INTEGER NOT NULL CHECK (attempts >= 0),
    active_ms INTEGER NOT NULL CHECK (active_ms >= 0),
    last_delay_ms INTEGER NOT NULL CHECK (last_delay_ms >= 0),
    first_attempt_at INTEGER NOT NULL CHECK (first_attempt_at >= 0),
    in_doubt INTEGER NOT NULL CHECK (in_doubt IN (0, 1)),
    crashes INTEGER NOT NULL CHECK (crashes >= 0),
    hold_gate TEXT,
    code TEXT,
    failure_class TEXT,
    http_status INTEGER,
    reason TEXT,
    original_event_id TEXT,
    endpoint TEXT,
    policy TEXT,
    updated_at INTEGER NOT NULL CHECK (updated_at >= 0),
    ended_at INTEGER NOT NULL CHECK (ended_at >= 0),
    -- The same numbers as `model.delivery.band`.
    band INTEGER NOT NULL AS (
        CASE WHEN priority >= 7 THEN 0 WHEN priority >= 3 THEN 2 ELSE 4 END + (attempt > 0)
    ) VIRTUAL,
    CHECK ((status = 'pending') = (ended_at = 0))
) STRICT;

-- What a lane may send next, and what has run out of time. A delivered row is in neither.
CREATE INDEX deliveries_due ON deliveries (recipient, band, due_at, id) WHERE status = 'pending';
CREATE INDEX deliveries_expiry ON deliveries (expires_at) WHERE status = 'pending';
-- The lists of the console; successes leave `deliveries_open`.
CREATE INDEX deliveries_open ON deliveries (status, id) WHERE status <> 'delivered';
CREATE INDEX deliveries_failure ON deliveries (failure_class, id) WHERE failure_class IS NOT NULL;
CREATE INDEX deliveries_recipient ON deliveries (recipient, id);
CREATE INDEX deliveries_flow ON deliveries (flow, id);
CREATE INDEX deliveries_message ON deliveries (message_id);
CREATE INDEX deliveries_predecessor ON deliveries (predecessor) WHERE predecessor IS NOT NULL;
-- Review: only dead ones pay for these. The second answers most counts of them by itself.
CREATE INDEX deliveries_dead ON deliveries (recipient, id) WHERE status = 'dead';
CREATE INDEX deliveries_review ON deliveries (
    id, status, recipient, failure_class, code, http_status, flow, step, account, attempts,
    priority, created_at
) WHERE status = 'dead';

-- Search fields of payloads, as keyed digests of account, field and value; they go with the payload.
CREATE TABLE search_tokens (
    token BLOB NOT NULL,
    delivery_id TEXT NOT NULL,
    PRIMARY KEY (token, delivery_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX search_tokens_delivery ON search_tokens (delivery_id);

-- AUTOINCREMENT: a position is never given twice, not even after the newest event was pruned.
CREATE TABLE attempts (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL UNIQUE,
    delivery_id TEXT NOT NULL,
    recipient TEXT NOT NULL,
    retry_timestamp INTEGER NOT NULL CHECK (retry_timestamp >= 0),
    outcome TEXT NOT NULL CHECK (outcome IN ('success', 'failure', 'error', 'skip')),
    failure_class TEXT,
    body TEXT NOT NULL,
    excerpt BLOB
) STRICT;

CREATE INDEX attempts_delivery ON attempts (delivery_id);
CREATE INDEX attempts_recipient ON attempts (recipient);
CREATE INDEX attempts_time ON attempts (retry_timestamp);

-- `used_at` is stamped at most once an hour; a snapshot goes when no kept event can name it.
CREATE TABLE snapshots (
    id TEXT PRIMARY KEY,
    body TEXT NOT NULL CHECK (json_valid(body)),
    used_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE lanes (
    recipient TEXT PRIMARY KEY,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Promise 2, held by the database itself.
CREATE TABLE counters (
    recipient TEXT PRIMARY KEY,
    created INTEGER NOT NULL DEFAULT 0,
    pending INTEGER NOT NULL DEFAULT 0 CHECK (pending >= 0),
    delivered INTEGER NOT NULL DEFAULT 0 CHECK (delivered >= 0),
    dead INTEGER NOT NULL DEFAULT 0 CHECK (dead >= 0),
    discarded INTEGER NOT NULL DEFAULT 0 CHECK (discarded >= 0),
    pruned INTEGER NOT NULL DEFAULT 0 CHECK (pruned >= 0),
    high INTEGER NOT NULL DEFAULT 0 CHECK (high >= 0),
    normal INTEGER NOT NULL DEFAULT 0 CHECK (normal >= 0),
    low INTEGER NOT NULL DEFAULT 0 CHECK (low >= 0),
    CHECK (pending = high + normal + low),
    CHECK (created = pending + delivered + dead + discarded + pruned)
) STRICT, WITHOUT ROWID;

-- Equal lines are one line: a batch that is committed again must not write them twice.
CREATE TABLE notes (
    place INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    UNIQUE (subject, at, actor, action, reason, detail)
) STRICT;

CREATE TABLE documents (
    name TEXT PRIMARY KEY,
    version INTEGER NOT NULL CHECK (version > 0),
    body BLOB NOT NULL,
    written_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Rows as JSON arrays in the field order of `model.delivery.Delivery` and `model.message.Message`.
CREATE VIEW delivery_rows AS
SELECT
    place,
    json_array(
        id, message_id, account, flow, step, recipient, priority, predecessor, followed,
        expires_at, created_at, status, due_at, revision, generation, attempt, counted, attempts,
        active_ms, last_delay_ms, first_attempt_at, in_doubt, crashes, hold_gate, code,
        failure_class, http_status, reason, original_event_id, endpoint, policy, updated_at,
        ended_at
    ) AS body
FROM deliveries;

CREATE VIEW message_rows AS
SELECT
    place,
    id,
    json_array(
        id, account, flow, key, hex(digest),
        (SELECT hex(payloads.sealed) FROM payloads WHERE payloads.place = messages.place),
        size, value, priority, quality, region, consent, not_before, expires_at, created_at
    ) AS body
FROM messages;
