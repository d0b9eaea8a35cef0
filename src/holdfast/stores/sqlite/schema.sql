-- What a new file gets. The migrations lead an old one to the same; a test compares both.

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
    value REAL NOT NULL DEFAULT 0,
    parent TEXT,
    fingerprint TEXT,
    assignee TEXT,
    cause TEXT,
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
-- Failing deliveries by group; it answers by itself how many there are and what they are worth.
CREATE INDEX deliveries_group ON deliveries (
    fingerprint, id, status, value, recipient, failure_class, code, http_status, flow, step,
    account, priority, created_at
) WHERE fingerprint IS NOT NULL AND status IN ('pending', 'dead');
-- Few are assigned to somebody, and few took the place of another.
CREATE INDEX deliveries_assignee ON deliveries (assignee, id)
WHERE assignee IS NOT NULL AND status = 'dead';
CREATE INDEX deliveries_parent ON deliveries (parent, id) WHERE parent IS NOT NULL;
-- Deliveries that fail, the most urgent first, of all accounts and of one; what arrives at once is
-- never in them.
CREATE INDEX deliveries_failing ON deliveries (priority, id, status, fingerprint)
WHERE status = 'dead' OR (status = 'pending' AND fingerprint IS NOT NULL);
CREATE INDEX deliveries_failing_account ON deliveries (
    account, priority, id, status, fingerprint
) WHERE status = 'dead' OR (status = 'pending' AND fingerprint IS NOT NULL);

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

-- Equal lines are one line: a batch that is committed again must not write them twice. `account` is
-- whose a line is ('': of no single one), `number` and `hash` are its place in the chain.
CREATE TABLE notes (
    place INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    account TEXT NOT NULL DEFAULT '',
    number INTEGER,
    hash BLOB,
    UNIQUE (subject, at, actor, action, reason, detail)
) STRICT;

CREATE UNIQUE INDEX notes_number ON notes (number) WHERE number IS NOT NULL;
CREATE INDEX notes_unsealed ON notes (place) WHERE number IS NULL;
CREATE INDEX notes_at ON notes (at);

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
        expires_at, created_at, value, parent, status, due_at, revision, generation, attempt,
        counted, attempts, active_ms, last_delay_ms, first_attempt_at, in_doubt, crashes,
        hold_gate, code, failure_class, http_status, reason, original_event_id, endpoint, policy,
        fingerprint, assignee, cause, updated_at, ended_at
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

-- For people with a SQL shell: deliveries under the names of the recovery manual. One arm per
-- status, so that a filter on it reads nothing else.
CREATE VIEW recovery_tasks AS
SELECT
    id AS task_id, message_id, account, flow, step, recipient, 'failed' AS status,
    max(counted - 1, 0) AS retry_count, generation, code AS error_code, failure_class,
    http_status, reason, due_at AS next_retry_at, expires_at, created_at, updated_at
FROM deliveries WHERE status = 'dead' AND status <> 'delivered'
UNION ALL
SELECT
    id, message_id, account, flow, step, recipient, 'pending', max(counted - 1, 0), generation,
    code, failure_class, http_status, reason, due_at, expires_at, created_at, updated_at
FROM deliveries WHERE status = 'pending' AND status <> 'delivered'
UNION ALL
SELECT
    id, message_id, account, flow, step, recipient, 'discarded', max(counted - 1, 0), generation,
    code, failure_class, http_status, reason, due_at, expires_at, created_at, updated_at
FROM deliveries WHERE status = 'discarded' AND status <> 'delivered'
UNION ALL
SELECT
    id, message_id, account, flow, step, recipient, 'delivered', max(counted - 1, 0), generation,
    code, failure_class, http_status, reason, due_at, expires_at, created_at, updated_at
FROM deliveries WHERE status = 'delivered';

-- Dead deliveries that a redrive may return to their lanes, and what is new about them: not before
-- the step in front of them, not against a revoked consent. The document `max_ages` holds the
-- times of the configuration in force.
CREATE VIEW redrivable AS
SELECT
    d.place, d.id, clock.now,
    clock.now + min(
        coalesce(
            json_extract(ages.body, '$."' || d.flow || '/' || d.step || '/' || d.recipient || '"'),
            json_extract(ages.body, '$."//' || d.recipient || '"'),
            259200000
        ),
        coalesce(CAST(json_extract(d.policy, '$.max_age') * 1000 AS INTEGER), 9007199254740991)
    ) AS expires_at
FROM deliveries AS d
JOIN (SELECT CAST((julianday('now') - 2440587.5) * 86400000.0 AS INTEGER) AS now) AS clock
LEFT JOIN (SELECT CAST(body AS TEXT) AS body FROM documents WHERE name = 'max_ages') AS ages
WHERE
    d.status = 'dead'
    AND NOT EXISTS (
        SELECT 1 FROM deliveries AS prior
        WHERE prior.id = d.predecessor AND prior.status <> 'delivered'
    )
    AND NOT EXISTS (
        SELECT 1 FROM notes AS n
        WHERE n.subject = d.message_id AND n.action = 'revoke_consent'
    );

-- `UPDATE recovery_tasks SET retry_count = 0` is a redrive, by the rules of `stores/planning` and
-- `engine/actions.py`. It must work in old shells: no words of SQLite newer than 3.38.
CREATE TRIGGER recovery_tasks_reset INSTEAD OF UPDATE ON recovery_tasks
BEGIN
    SELECT RAISE(ABORT, 'recovery_tasks: only retry_count can be set, and only to 0')
    WHERE
        NEW.retry_count IS NOT 0
        OR (
            NEW.task_id, NEW.message_id, NEW.account, NEW.flow, NEW.step, NEW.recipient,
            NEW.status, NEW.generation, NEW.error_code, NEW.failure_class, NEW.http_status,
            NEW.reason, NEW.next_retry_at, NEW.expires_at, NEW.created_at, NEW.updated_at
        ) IS NOT (
            OLD.task_id, OLD.message_id, OLD.account, OLD.flow, OLD.step, OLD.recipient,
            OLD.status, OLD.generation, OLD.error_code, OLD.failure_class, OLD.http_status,
            OLD.reason, OLD.next_retry_at, OLD.expires_at, OLD.created_at, OLD.updated_at
        );
    SELECT RAISE(ABORT, 'recovery_tasks: only tasks with status ''failed'' can be reset')
    WHERE OLD.status <> 'failed';

    INSERT OR IGNORE INTO notes (at, actor, action, subject, reason, detail)
    SELECT
        r.now, 'sql', 'redrive', d.id, 'retry_count set to 0 in recovery_tasks',
        json_object(
            'expires_at', json_array(d.expires_at, r.expires_at),
            'status', json_array('dead', 'pending'),
            'due_at', json_array(d.due_at, r.now),
            'revision', json_array(d.revision, d.revision + 1),
            'generation', json_array(d.generation, d.generation + 1),
            'attempt', json_array(d.attempt, 0),
            'counted', json_array(d.counted, 0),
            'code', json_array(d.code, NULL),
            'ended_at', json_array(d.ended_at, 0)
        )
    FROM redrivable AS r JOIN deliveries AS d ON d.place = r.place
    WHERE r.id = OLD.task_id;

    -- What was dropped with it waits for it again.
    UPDATE counters
    SET
        discarded = discarded - back.number, pending = pending + back.number,
        high = high + back.highs, normal = normal + back.normals, low = low + back.lows
    FROM (
        WITH RECURSIVE dropped (id, recipient, priority) AS (
            SELECT d.id, d.recipient, d.priority
            FROM redrivable AS r JOIN deliveries AS d ON d.predecessor = r.id
            WHERE r.id = OLD.task_id AND d.status = 'discarded' AND d.code = 'PREDECESSOR'
            UNION ALL
            SELECT d.id, d.recipient, d.priority
            FROM dropped JOIN deliveries AS d ON d.predecessor = dropped.id
            WHERE d.status = 'discarded' AND d.code = 'PREDECESSOR'
        )
        SELECT
            recipient, count(*) AS number, sum(priority >= 7) AS highs,
            sum(priority BETWEEN 3 AND 6) AS normals, sum(priority < 3) AS lows
        FROM dropped
        GROUP BY recipient
    ) AS back
    WHERE counters.recipient = back.recipient;

    UPDATE deliveries
    SET
        status = 'pending', due_at = 9007199254740991, revision = deliveries.revision + 1,
        code = NULL, updated_at = root.now, ended_at = 0, hold_gate = 'predecessor',
        expires_at = max(deliveries.expires_at, root.expires_at)
    FROM redrivable AS root
    WHERE
        root.id = OLD.task_id
        AND deliveries.place IN (
            WITH RECURSIVE dropped (place, id) AS (
                SELECT d.place, d.id FROM deliveries AS d
                WHERE
                    d.predecessor = OLD.task_id
                    AND d.status = 'discarded' AND d.code = 'PREDECESSOR'
                UNION ALL
                SELECT d.place, d.id
                FROM dropped JOIN deliveries AS d ON d.predecessor = dropped.id
                WHERE d.status = 'discarded' AND d.code = 'PREDECESSOR'
            )
            SELECT place FROM dropped
        );

    UPDATE counters
    SET
        dead = dead - 1, pending = pending + 1, high = high + (root.priority >= 7),
        normal = normal + (root.priority BETWEEN 3 AND 6), low = low + (root.priority < 3)
    FROM (
        SELECT d.recipient, d.priority
        FROM redrivable AS r JOIN deliveries AS d ON d.place = r.place
        WHERE r.id = OLD.task_id
    ) AS root
    WHERE counters.recipient = root.recipient;

    UPDATE deliveries
    SET
        status = 'pending', due_at = root.now, revision = deliveries.revision + 1,
        generation = deliveries.generation + 1, attempt = 0, counted = 0, active_ms = 0,
        last_delay_ms = 0, first_attempt_at = 0, crashes = 0, hold_gate = NULL, code = NULL,
        updated_at = root.now, ended_at = 0, expires_at = root.expires_at
    FROM redrivable AS root
    WHERE root.id = OLD.task_id AND deliveries.place = root.place;
END;

-- Bulk work and what became of each delivery.
CREATE TABLE operations (
    id TEXT NOT NULL PRIMARY KEY,
    revision INTEGER NOT NULL CHECK (revision > 0),
    active INTEGER NOT NULL CHECK (active IN (0, 1)),
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX operations_active ON operations (id) WHERE active = 1;

-- One row per delivery that an operation came to.
CREATE TABLE operation_results (
    operation_id TEXT NOT NULL,
    delivery_id TEXT NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL,
    revision INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (operation_id, delivery_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX operation_results_open ON operation_results (operation_id, delivery_id)
WHERE outcome IN ('done', 'released');

-- Failure groups: what failed the same way. The engine counts what it sees (`planning/grouping.py`);
-- people own, resolve, ignore and judge.
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
    why TEXT,
    nature TEXT CHECK (nature IN ('temporary', 'permanent')),
    judged_at INTEGER NOT NULL DEFAULT 0,
    judged_by TEXT,
    cause TEXT CHECK (
        cause IN (
            'connection', 'auth', 'data', 'system', 'business', 'performance', 'physical', 'security',
            'configuration'
        )
    ),
    caused_by TEXT,
    resolutions INTEGER NOT NULL DEFAULT 0 CHECK (resolutions >= 0),
    regressions INTEGER NOT NULL DEFAULT 0 CHECK (regressions >= 0)
) STRICT, WITHOUT ROWID;

CREATE INDEX failure_groups_untold ON failure_groups (id) WHERE told = 0;
CREATE INDEX failure_groups_judged ON failure_groups (id) WHERE nature IS NOT NULL;
-- Groups by when they were new or came back: of all accounts, and of one.
CREATE INDEX failure_groups_alert ON failure_groups (max(first_at, regressed_at), id)
WHERE status <> 'resolved';
CREATE INDEX failure_groups_account ON failure_groups (
    account, max(first_at, regressed_at), id
) WHERE status <> 'resolved';

-- How many tries of a group failed in each ten minutes, and how many deliveries that had failed so
-- were tried again and delivered, or died.
CREATE TABLE failure_buckets (
    group_id TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    failures INTEGER NOT NULL CHECK (failures >= 0),
    recovered INTEGER NOT NULL DEFAULT 0 CHECK (recovered >= 0),
    lost INTEGER NOT NULL DEFAULT 0 CHECK (lost >= 0),
    PRIMARY KEY (group_id, bucket)
) STRICT, WITHOUT ROWID;

CREATE INDEX failure_buckets_bucket ON failure_buckets (bucket);

-- Rows as JSON arrays in the field order of `model.group.Group`.
CREATE VIEW group_rows AS
SELECT
    id, last_at, told, nature,
    json_array(
        id, account, flow, step, recipient, failure_class, code, template, first_at, last_at, failures,
        revision, status, owner, until, ceiling, resolved_at, regressed_at, told, changed_at,
        changed_by, why, nature, judged_at, judged_by, cause, caused_by, resolutions, regressions
    ) AS body
FROM failure_groups;
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
