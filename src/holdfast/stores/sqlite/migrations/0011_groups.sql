-- Failure groups and review: what failed the same way, who looks at what.
ALTER TABLE deliveries ADD COLUMN value REAL NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN parent TEXT;
ALTER TABLE deliveries ADD COLUMN fingerprint TEXT;
ALTER TABLE deliveries ADD COLUMN assignee TEXT;
ALTER TABLE deliveries ADD COLUMN cause TEXT;

-- The worth of each, for searches; a group is known from the next failure on.
UPDATE deliveries
SET value = coalesce((SELECT m.value FROM messages AS m WHERE m.id = deliveries.message_id), 0);

-- Failing deliveries by group; it answers by itself how many there are and what they are worth.
CREATE INDEX deliveries_group ON deliveries (
    fingerprint, id, status, value, recipient, failure_class, code, http_status, flow, step,
    account, priority, created_at
) WHERE fingerprint IS NOT NULL AND status IN ('pending', 'dead');
-- Few are assigned to somebody, and few took the place of another.
CREATE INDEX deliveries_assignee ON deliveries (assignee, id)
WHERE assignee IS NOT NULL AND status = 'dead';
CREATE INDEX deliveries_parent ON deliveries (parent, id) WHERE parent IS NOT NULL;

DROP VIEW delivery_rows;
CREATE VIEW delivery_rows AS
SELECT
    place,
    json_array(
        id, message_id, account, flow, step, recipient, priority, predecessor, followed,
        expires_at, created_at, value, parent, status, due_at, revision, generation, attempt,
        counted, attempts, active_ms, last_delay_ms, first_attempt_at, in_doubt, crashes,
        hold_gate, code, failure_class, http_status, reason, original_event_id, endpoint, policy,
        fingerprint, assignee, cause, updated_at, ended_at
    ) AS body
FROM deliveries;

-- Failure groups: what failed the same way. The engine counts what it sees (`planning/grouping.py`);
-- people own, resolve and ignore.
CREATE TABLE failure_groups (
    id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    flow TEXT NOT NULL,
    step TEXT NOT NULL,
    recipient TEXT NOT NULL,
    failure_class TEXT NOT NULL,
    code TEXT NOT NULL,
    template TEXT NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    failures INTEGER NOT NULL CHECK (failures > 0),
    revision INTEGER NOT NULL DEFAULT 0 CHECK (revision >= 0),
    status TEXT NOT NULL DEFAULT 'open' CHECK (
        status IN ('open', 'resolved', 'ignored', 'regressed')
    ),
    owner TEXT,
    until INTEGER NOT NULL DEFAULT 0,
    ceiling INTEGER NOT NULL DEFAULT 0,
    resolved_at INTEGER NOT NULL DEFAULT 0,
    regressed_at INTEGER NOT NULL DEFAULT 0,
    told INTEGER NOT NULL DEFAULT 1 CHECK (told IN (0, 1)),
    changed_at INTEGER NOT NULL DEFAULT 0,
    changed_by TEXT,
    why TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX failure_groups_untold ON failure_groups (id) WHERE told = 0;

-- How many tries of a group failed in each ten minutes.
CREATE TABLE failure_buckets (
    group_id TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    failures INTEGER NOT NULL CHECK (failures > 0),
    PRIMARY KEY (group_id, bucket)
) STRICT, WITHOUT ROWID;

CREATE INDEX failure_buckets_bucket ON failure_buckets (bucket);

-- Rows as JSON arrays in the field order of `model.group.Group`.
CREATE VIEW group_rows AS
SELECT
    id, last_at, told,
    json_array(
        id, account, flow, step, recipient, failure_class, code, template, first_at, last_at, failures,
        revision, status, owner, until, ceiling, resolved_at, regressed_at, told, changed_at,
        changed_by, why
    ) AS body
FROM failure_groups;
