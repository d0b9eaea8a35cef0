-- Failure groups and review: what failed the same way, who looks at what.
ALTER TABLE holdfast.deliveries
    ADD COLUMN value double precision NOT NULL DEFAULT 0,
    ADD COLUMN parent text COLLATE "C",
    ADD COLUMN fingerprint text COLLATE "C",
    ADD COLUMN assignee text COLLATE "C",
    ADD COLUMN cause text COLLATE "C";

-- The worth of each, for searches; a group is known from the next failure on.
UPDATE holdfast.deliveries AS d
SET value = m.value
FROM holdfast.messages AS m
WHERE m.id = d.message_id AND m.value <> 0;

-- Failing deliveries by group; it answers by itself how many there are and what they are worth.
CREATE INDEX deliveries_group ON holdfast.deliveries (
    fingerprint, id, status, value, recipient, failure_class, code, http_status, flow, step,
    account, priority, created_at
) WHERE fingerprint IS NOT NULL AND status IN ('pending', 'dead');
-- Few are assigned to somebody, and few took the place of another.
CREATE INDEX deliveries_assignee ON holdfast.deliveries (assignee, id)
WHERE assignee IS NOT NULL AND status = 'dead';
CREATE INDEX deliveries_parent ON holdfast.deliveries (parent, id) WHERE parent IS NOT NULL;

-- Programs of the version before read `delivery_rows`, so it stays until none is left.
CREATE VIEW holdfast.delivery_bodies AS
SELECT
    id,
    json_build_array(
        id, message_id, account, flow, step, recipient, priority, predecessor, followed,
        expires_at, created_at, value, parent, status, due_at, revision, generation, attempt,
        counted, attempts, active_ms, last_delay_ms, first_attempt_at, in_doubt, crashes,
        hold_gate, code, failure_class, http_status, reason, original_event_id, endpoint, policy,
        fingerprint, assignee, cause, updated_at, ended_at
    ) AS body
FROM holdfast.deliveries;

-- Failure groups: what failed the same way. The engine counts what it sees (`planning/grouping.py`);
-- people own, resolve and ignore.
CREATE TABLE holdfast.failure_groups (
    id text COLLATE "C" PRIMARY KEY,
    account text COLLATE "C" NOT NULL,
    flow text COLLATE "C" NOT NULL,
    step text COLLATE "C" NOT NULL,
    recipient text COLLATE "C" NOT NULL,
    failure_class text COLLATE "C" NOT NULL,
    code text COLLATE "C" NOT NULL,
    template text COLLATE "C" NOT NULL,
    first_at bigint NOT NULL,
    last_at bigint NOT NULL,
    failures bigint NOT NULL CHECK (failures > 0),
    revision bigint NOT NULL DEFAULT 0 CHECK (revision >= 0),
    status text COLLATE "C" NOT NULL DEFAULT 'open' CHECK (
        status IN ('open', 'resolved', 'ignored', 'regressed')
    ),
    owner text COLLATE "C",
    until bigint NOT NULL DEFAULT 0,
    ceiling bigint NOT NULL DEFAULT 0,
    resolved_at bigint NOT NULL DEFAULT 0,
    regressed_at bigint NOT NULL DEFAULT 0,
    told boolean NOT NULL DEFAULT true,
    changed_at bigint NOT NULL DEFAULT 0,
    changed_by text COLLATE "C",
    why text COLLATE "C"
);

CREATE INDEX failure_groups_untold ON holdfast.failure_groups (id) WHERE NOT told;

-- How many tries of a group failed in each ten minutes.
CREATE TABLE holdfast.failure_buckets (
    group_id text COLLATE "C" NOT NULL,
    bucket bigint NOT NULL,
    failures bigint NOT NULL CHECK (failures > 0),
    PRIMARY KEY (group_id, bucket)
);

CREATE INDEX failure_buckets_bucket ON holdfast.failure_buckets (bucket);

-- Rows as JSON arrays in the field order of `model.group.Group`.
CREATE VIEW holdfast.group_rows AS
SELECT
    id, last_at, told,
    json_build_array(
        id, account, flow, step, recipient, failure_class, code, template, first_at, last_at, failures,
        revision, status, owner, until, ceiling, resolved_at, regressed_at, told, changed_at,
        changed_by, why
    ) AS body
FROM holdfast.failure_groups;
