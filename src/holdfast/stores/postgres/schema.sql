-- The whole schema as the migrations leave it; a test compares both.

-- Everything lives in a schema of its own and is named with it, so that no statement depends on
-- the search path of a connection (a pooler may hand out any).

-- One row: which of these files have been applied, and which of their second halves.
CREATE TABLE holdfast.version (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version integer NOT NULL,
    cleaned integer NOT NULL DEFAULT 1
);

INSERT INTO holdfast.version (version) VALUES (0);

-- One row: the epoch of the last worker that joined. `shift` is added to transaction ids, so that
-- positions go on rising in a copy of the database on another server.
CREATE TABLE holdfast.owner (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    epoch bigint NOT NULL CHECK (epoch >= 0),
    shift bigint NOT NULL CHECK (shift >= 0)
);

INSERT INTO holdfast.owner (epoch, shift) VALUES (0, 0);

-- One row per worker: one life of a process. Its key fences: a commit holds it with FOR KEY SHARE,
-- so that whoever deletes the row waits for commits under way, and renewals never do.
CREATE TABLE holdfast.workers (
    epoch bigint PRIMARY KEY,
    name text NOT NULL,
    host text NOT NULL,
    pid bigint NOT NULL,
    version text NOT NULL,
    slots integer NOT NULL CHECK (slots > 0),
    lease_ms bigint NOT NULL CHECK (lease_ms > 0),
    in_flight integer NOT NULL DEFAULT 0,
    leaving boolean NOT NULL DEFAULT false,
    started_at bigint NOT NULL,
    lease_until bigint NOT NULL,
    open_slots integer NOT NULL DEFAULT 0,
    configuration integer NOT NULL DEFAULT 0
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

CREATE TABLE holdfast.messages (
    id text COLLATE "C" PRIMARY KEY,
    account text COLLATE "C" NOT NULL,
    flow text COLLATE "C" NOT NULL,
    key text COLLATE "C",
    digest bytea NOT NULL,
    sealed bytea,
    size bigint NOT NULL CHECK (size >= 0),
    value double precision NOT NULL,
    priority smallint NOT NULL CHECK (priority BETWEEN 0 AND 9),
    quality smallint CHECK (quality BETWEEN 0 AND 100),
    region text COLLATE "C",
    consent text COLLATE "C",
    not_before bigint NOT NULL CHECK (not_before >= 0),
    expires_at bigint NOT NULL CHECK (expires_at >= 0),
    created_at bigint NOT NULL CHECK (created_at >= 0),
    -- What retention has left: 0 the payload, 1 only the key, 2 neither.
    stage smallint NOT NULL GENERATED ALWAYS AS (
        CASE WHEN sealed IS NOT NULL THEN 0 WHEN key IS NOT NULL THEN 1 ELSE 2 END
    ) STORED
);

-- Encrypted, so nothing is gained by compressing it.
ALTER TABLE holdfast.messages ALTER COLUMN sealed SET STORAGE EXTERNAL;

CREATE UNIQUE INDEX messages_key ON holdfast.messages (account, key) WHERE key IS NOT NULL;
CREATE INDEX messages_stage ON holdfast.messages (stage, created_at);

CREATE TABLE holdfast.deliveries (
    id text COLLATE "C" PRIMARY KEY,
    message_id text COLLATE "C" NOT NULL,
    account text COLLATE "C" NOT NULL,
    flow text COLLATE "C" NOT NULL,
    step text COLLATE "C" NOT NULL,
    recipient text COLLATE "C" NOT NULL,
    priority smallint NOT NULL CHECK (priority BETWEEN 0 AND 9),
    predecessor text COLLATE "C",
    followed boolean NOT NULL,
    expires_at bigint NOT NULL CHECK (expires_at >= 0),
    created_at bigint NOT NULL CHECK (created_at >= 0),
    status text COLLATE "C" NOT NULL CHECK (
        status IN ('pending', 'delivered', 'dead', 'discarded')
    ),
    due_at bigint NOT NULL CHECK (due_at >= 0),
    revision integer NOT NULL CHECK (revision >= 0),
    generation integer NOT NULL CHECK (generation >= 0),
    attempt integer NOT NULL CHECK (attempt >= 0),
    counted integer NOT NULL CHECK (counted >= 0),
    attempts integer NOT NULL CHECK (attempts >= 0),
    active_ms bigint NOT NULL CHECK (active_ms >= 0),
    last_delay_ms bigint NOT NULL CHECK (last_delay_ms >= 0),
    first_attempt_at bigint NOT NULL CHECK (first_attempt_at >= 0),
    in_doubt boolean NOT NULL,
    crashes integer NOT NULL CHECK (crashes >= 0),
    hold_gate text COLLATE "C",
    code text COLLATE "C",
    failure_class text COLLATE "C",
    http_status integer,
    reason text COLLATE "C",
    original_event_id text COLLATE "C",
    endpoint text COLLATE "C",
    policy text COLLATE "C",
    updated_at bigint NOT NULL CHECK (updated_at >= 0),
    ended_at bigint NOT NULL CHECK (ended_at >= 0),
    -- Place within its message: the flow's order.
    ordinal integer NOT NULL,
    -- The same numbers as `model.delivery.band`.
    band smallint NOT NULL GENERATED ALWAYS AS (
        CASE WHEN priority >= 7 THEN 0 WHEN priority >= 3 THEN 2 ELSE 4 END
        + CASE WHEN attempt > 0 THEN 1 ELSE 0 END
    ) STORED,
    value double precision NOT NULL DEFAULT 0,
    parent text COLLATE "C",
    fingerprint text COLLATE "C",
    assignee text COLLATE "C",
    cause text COLLATE "C",
    CHECK ((status = 'pending') = (ended_at = 0))
) WITH (
    -- Every row changes at least once, and what waits longest stands at the front of an index
    -- that is read all the time: clean up early.
    fillfactor = 85,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.05
);

-- What a lane may send next, and what has run out of time. A delivered row is in neither.
CREATE INDEX deliveries_due ON holdfast.deliveries (recipient, band, due_at, id)
WHERE status = 'pending';
CREATE INDEX deliveries_expiry ON holdfast.deliveries (expires_at) WHERE status = 'pending';
-- The lists of the console; successes leave `deliveries_open`.
CREATE INDEX deliveries_open ON holdfast.deliveries (status, id) WHERE status <> 'delivered';
CREATE INDEX deliveries_failure ON holdfast.deliveries (failure_class, id)
WHERE failure_class IS NOT NULL;
CREATE INDEX deliveries_recipient ON holdfast.deliveries (recipient, id);
CREATE INDEX deliveries_flow ON holdfast.deliveries (flow, id);
CREATE INDEX deliveries_message ON holdfast.deliveries (message_id);
CREATE INDEX deliveries_predecessor ON holdfast.deliveries (predecessor)
WHERE predecessor IS NOT NULL;
-- Review: only dead ones pay for these. The second answers most counts of them by itself.
CREATE INDEX deliveries_dead ON holdfast.deliveries (recipient, id) WHERE status = 'dead';
CREATE INDEX deliveries_review ON holdfast.deliveries (
    id, status, recipient, failure_class, code, http_status, flow, step, account, attempts,
    priority, created_at
) WHERE status = 'dead';
-- Failing deliveries by group; it answers by itself how many there are and what they are worth.
CREATE INDEX deliveries_group ON holdfast.deliveries (
    fingerprint, id, status, value, recipient, failure_class, code, http_status, flow, step,
    account, priority, created_at
) WHERE fingerprint IS NOT NULL AND status IN ('pending', 'dead');
-- Few are assigned to somebody, and few took the place of another.
CREATE INDEX deliveries_assignee ON holdfast.deliveries (assignee, id)
WHERE assignee IS NOT NULL AND status = 'dead';
CREATE INDEX deliveries_parent ON holdfast.deliveries (parent, id) WHERE parent IS NOT NULL;
-- Deliveries that fail, the most urgent first, of all accounts and of one; what arrives at once is
-- never in them.
CREATE INDEX deliveries_failing ON holdfast.deliveries (priority, id, status, fingerprint)
WHERE status = 'dead' OR (status = 'pending' AND fingerprint IS NOT NULL);
CREATE INDEX deliveries_failing_account ON holdfast.deliveries (
    account, priority, id, status, fingerprint
) WHERE status = 'dead' OR (status = 'pending' AND fingerprint IS NOT NULL);

-- Search fields of payloads, as keyed digests of account, field and value; they go with the payload.
CREATE TABLE holdfast.search_tokens (
    token bytea NOT NULL,
    delivery_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (token, delivery_id)
);

CREATE INDEX search_tokens_delivery ON holdfast.search_tokens (delivery_id);

-- One partition per day (UTC) of `retry_timestamp`, made when the first event of a day comes and
-- dropped whole. A position is the transaction's id and a number within it, so that positions
-- follow commit order for whoever reads below the oldest open transaction.
CREATE TABLE holdfast.attempts (
    position bigint NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    delivery_id text COLLATE "C" NOT NULL,
    recipient text COLLATE "C" NOT NULL,
    retry_timestamp bigint NOT NULL CHECK (retry_timestamp >= 0),
    outcome text COLLATE "C" NOT NULL CHECK (outcome IN ('success', 'failure', 'error', 'skip')),
    failure_class text COLLATE "C",
    body json NOT NULL,
    excerpt bytea,
    PRIMARY KEY (position, retry_timestamp),
    UNIQUE (event_id, retry_timestamp)
) PARTITION BY RANGE (retry_timestamp);

ALTER TABLE holdfast.attempts ALTER COLUMN excerpt SET STORAGE EXTERNAL;

CREATE INDEX attempts_delivery ON holdfast.attempts (delivery_id, position);
CREATE INDEX attempts_recipient ON holdfast.attempts (recipient, position);
CREATE INDEX attempts_time ON holdfast.attempts (retry_timestamp);

-- `used_at` is stamped at most once an hour; a snapshot goes when no kept event can name it.
CREATE TABLE holdfast.snapshots (
    id text COLLATE "C" PRIMARY KEY,
    body json NOT NULL,
    used_at bigint NOT NULL
);

-- A lane is free when it has no owner. `clean`: its last owner gave it away; else `stamp` says when
-- it was taken from it. `offered`: another worker should have it although nothing may wait.
CREATE TABLE holdfast.lanes (
    recipient text COLLATE "C" PRIMARY KEY,
    body json NOT NULL,
    owner bigint,
    clean boolean NOT NULL DEFAULT true,
    stamp bigint NOT NULL DEFAULT 0,
    offered boolean NOT NULL DEFAULT false
);

CREATE INDEX lanes_owner ON holdfast.lanes (owner) WHERE owner IS NOT NULL;

-- What people want of lanes that the worker whom they asked does not own.
CREATE TABLE holdfast.lane_orders (
    id text COLLATE "C" PRIMARY KEY,
    recipient text COLLATE "C" NOT NULL,
    at bigint NOT NULL,
    body json NOT NULL
);

-- Promise 2, held by the database itself.
CREATE TABLE holdfast.counters (
    recipient text COLLATE "C" PRIMARY KEY,
    created bigint NOT NULL DEFAULT 0,
    pending bigint NOT NULL DEFAULT 0 CHECK (pending >= 0),
    delivered bigint NOT NULL DEFAULT 0 CHECK (delivered >= 0),
    dead bigint NOT NULL DEFAULT 0 CHECK (dead >= 0),
    discarded bigint NOT NULL DEFAULT 0 CHECK (discarded >= 0),
    pruned bigint NOT NULL DEFAULT 0 CHECK (pruned >= 0),
    high bigint NOT NULL DEFAULT 0 CHECK (high >= 0),
    normal bigint NOT NULL DEFAULT 0 CHECK (normal >= 0),
    low bigint NOT NULL DEFAULT 0 CHECK (low >= 0),
    CHECK (pending = high + normal + low),
    CHECK (created = pending + delivered + dead + discarded + pruned)
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

-- Equal lines are one line: a batch that is committed again must not write them twice. Texts may
-- be longer than an index takes, hence the digest. `account` is whose a line is ('': of no single
-- one), `number` and `hash` are its place in the chain.
CREATE TABLE holdfast.notes (
    place bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at bigint NOT NULL,
    actor text COLLATE "C" NOT NULL,
    action text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    reason text COLLATE "C" NOT NULL,
    detail text COLLATE "C" NOT NULL,
    digest text NOT NULL GENERATED ALWAYS AS (
        md5(actor || chr(31) || action || chr(31) || reason || chr(31) || detail)
    ) STORED,
    account text COLLATE "C" NOT NULL DEFAULT '',
    number bigint,
    hash bytea,
    UNIQUE (subject, at, digest)
);

CREATE UNIQUE INDEX notes_number ON holdfast.notes (number) WHERE number IS NOT NULL;
CREATE INDEX notes_unsealed ON holdfast.notes (place) WHERE number IS NULL;
CREATE INDEX notes_at ON holdfast.notes (at, place);

CREATE TABLE holdfast.documents (
    name text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL CHECK (version > 0),
    body bytea NOT NULL,
    written_at bigint NOT NULL
);

-- Rows as JSON arrays in the field order of `model.delivery.Delivery` and `model.message.Message`.
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

CREATE VIEW holdfast.message_rows AS
SELECT
    id,
    json_build_array(
        id, account, flow, key, encode(digest, 'hex'), encode(sealed, 'hex'), size, value,
        priority, quality, region, consent, not_before, expires_at, created_at
    ) AS body
FROM holdfast.messages;

-- Makes the statement that calls it fail, so that a single statement can write all or nothing.
CREATE FUNCTION holdfast.refuse(why text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', why USING ERRCODE = 'HF409';
END
$$;

-- Partitions of `attempts` by day since 1970. A partition is made alone and then attached: that
-- lets readers and writers of the others go on.
CREATE FUNCTION holdfast.day_table(day bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT 'attempts_' || to_char(date '1970-01-01' + day::integer, 'YYYY_MM_DD')
$$;

CREATE FUNCTION holdfast.open_day(day bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    name text := holdfast.day_table(day);
BEGIN
    -- Two writers at midnight: the second finds the first one's table.
    PERFORM pg_advisory_xact_lock(1212894276, day::integer);
    IF to_regclass(format('holdfast.%I', name)) IS NULL THEN
        EXECUTE format('CREATE TABLE holdfast.%I (LIKE holdfast.attempts INCLUDING ALL)', name);
        EXECUTE format(
            'ALTER TABLE holdfast.attempts ATTACH PARTITION holdfast.%I FOR VALUES FROM (%s) TO (%s)',
            name, day * 86400000, (day + 1) * 86400000
        );
    END IF;
END
$$;

CREATE FUNCTION holdfast.drop_day(day bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    name text := holdfast.day_table(day);
    number bigint;
BEGIN
    -- Rather fail and come again than keep everybody waiting behind a long reader.
    PERFORM set_config('lock_timeout', '1000', true);
    -- Counting a very large day would take longer than dropping it: an estimate will do.
    SELECT c.reltuples::bigint INTO number
    FROM pg_class AS c WHERE c.oid = to_regclass(format('holdfast.%I', name));
    IF number < 1000000 THEN
        EXECUTE format('SELECT count(*) FROM holdfast.%I', name) INTO number;
    END IF;
    EXECUTE format('DROP TABLE holdfast.%I', name);
    RETURN number;
END
$$;

-- Store time: every persisted instant is compared with this clock alone.
CREATE FUNCTION holdfast.store_now() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint
$$;

-- For people with a SQL shell: deliveries under the names of the recovery manual. One arm per
-- status, so that a filter on it reads nothing else.
CREATE VIEW holdfast.recovery_tasks AS
SELECT
    id AS task_id, message_id, account, flow, step, recipient, 'failed'::text AS status,
    greatest(counted - 1, 0) AS retry_count, generation, code AS error_code, failure_class,
    http_status, reason, due_at AS next_retry_at, expires_at, created_at, updated_at
FROM holdfast.deliveries WHERE status = 'dead'
UNION ALL
SELECT
    id, message_id, account, flow, step, recipient, 'pending', greatest(counted - 1, 0),
    generation, code, failure_class, http_status, reason, due_at, expires_at, created_at,
    updated_at
FROM holdfast.deliveries WHERE status = 'pending'
UNION ALL
SELECT
    id, message_id, account, flow, step, recipient, 'discarded', greatest(counted - 1, 0),
    generation, code, failure_class, http_status, reason, due_at, expires_at, created_at,
    updated_at
FROM holdfast.deliveries WHERE status = 'discarded'
UNION ALL
SELECT
    id, message_id, account, flow, step, recipient, 'delivered', greatest(counted - 1, 0),
    generation, code, failure_class, http_status, reason, due_at, expires_at, created_at,
    updated_at
FROM holdfast.deliveries WHERE status = 'delivered';

-- How long a redriven delivery may take from now on: the document `max_ages` holds the times of
-- the configuration in force.
CREATE FUNCTION holdfast.max_age_ms(d holdfast.deliveries) RETURNS bigint LANGUAGE sql STABLE
AS $$
    SELECT least(
        coalesce(
            (ages.body ->> concat_ws('/', d.flow, d.step, d.recipient))::bigint,
            (ages.body ->> ('//' || d.recipient))::bigint,
            259200000
        ),
        ((d.policy::jsonb ->> 'max_age')::numeric * 1000)::bigint
    )
    FROM (SELECT 1) AS always
    LEFT JOIN (
        SELECT convert_from(body, 'UTF8')::jsonb AS body
        FROM holdfast.documents WHERE name = 'max_ages'
    ) AS ages ON true
$$;

-- Deliveries that were dropped with one that is redriven: they wait for it again.
CREATE FUNCTION holdfast.revive_behind(root text, now_ms bigint, until bigint) RETURNS void
LANGUAGE sql AS $$
    WITH RECURSIVE dropped (id) AS (
        SELECT id FROM holdfast.deliveries
        WHERE predecessor = root AND status = 'discarded' AND code = 'PREDECESSOR'
        UNION ALL
        SELECT d.id
        FROM dropped JOIN holdfast.deliveries AS d ON d.predecessor = dropped.id
        WHERE d.status = 'discarded' AND d.code = 'PREDECESSOR'
    ),
    revived AS (
        UPDATE holdfast.deliveries AS d
        SET
            status = 'pending', due_at = 9007199254740991, revision = d.revision + 1, code = NULL,
            updated_at = now_ms, ended_at = 0, hold_gate = 'predecessor',
            expires_at = greatest(d.expires_at, until)
        FROM dropped
        WHERE d.id = dropped.id
        RETURNING d.recipient, d.priority
    ),
    back AS (
        SELECT
            recipient, count(*) AS number,
            count(*) FILTER (WHERE priority >= 7) AS high,
            count(*) FILTER (WHERE priority BETWEEN 3 AND 6) AS normal,
            count(*) FILTER (WHERE priority < 3) AS low
        FROM revived
        GROUP BY recipient
    )
    UPDATE holdfast.counters AS c
    SET
        discarded = c.discarded - back.number, pending = c.pending + back.number,
        high = c.high + back.high, normal = c.normal + back.normal, low = c.low + back.low
    FROM back
    WHERE c.recipient = back.recipient
$$;

-- Writers lock the tables of a commit before any of its rows. Whoever resets tasks therefore waits
-- for those under way and keeps out the next ones: rows are never locked in two orders.
CREATE FUNCTION holdfast.begin_reset() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    LOCK TABLE holdfast.counters IN SHARE ROW EXCLUSIVE MODE;
    RETURN NULL;
END
$$;

-- `UPDATE recovery_tasks SET retry_count = 0` is a redrive, by the rules of `stores/planning` and
-- `engine/actions.py`. It runs with the rights of the schema's owner, so that an operator needs
-- none but SELECT and UPDATE on the view.
CREATE FUNCTION holdfast.reset_task() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    was holdfast.deliveries;
    now_ms bigint := holdfast.store_now();
    until bigint;
BEGIN
    IF
        NEW.retry_count IS DISTINCT FROM 0
        OR to_jsonb(NEW) - 'retry_count' IS DISTINCT FROM to_jsonb(OLD) - 'retry_count'
    THEN
        RAISE EXCEPTION 'recovery_tasks: only retry_count can be set, and only to 0'
        USING ERRCODE = 'feature_not_supported';
    END IF;
    IF OLD.status <> 'failed' THEN
        RAISE EXCEPTION 'recovery_tasks: only tasks with status ''failed'' can be reset'
        USING ERRCODE = 'feature_not_supported';
    END IF;
    SELECT * INTO was FROM holdfast.deliveries WHERE id = OLD.task_id AND status = 'dead' FOR UPDATE;
    IF
        NOT FOUND
        OR EXISTS (
            SELECT FROM holdfast.deliveries AS prior
            WHERE prior.id = was.predecessor AND prior.status <> 'delivered'
        )
        OR EXISTS (
            SELECT FROM holdfast.notes AS n
            WHERE n.subject = was.message_id AND n.action = 'revoke_consent'
        )
    THEN
        RETURN NULL;
    END IF;
    until := now_ms + holdfast.max_age_ms(was);
    IF was.followed THEN
        PERFORM holdfast.revive_behind(was.id, now_ms, until);
    END IF;
    UPDATE holdfast.deliveries
    SET
        status = 'pending', due_at = now_ms, revision = was.revision + 1,
        generation = was.generation + 1, attempt = 0, counted = 0, active_ms = 0,
        last_delay_ms = 0, first_attempt_at = 0, crashes = 0, hold_gate = NULL, code = NULL,
        updated_at = now_ms, ended_at = 0, expires_at = until
    WHERE id = was.id;
    UPDATE holdfast.counters
    SET
        dead = dead - 1, pending = pending + 1, high = high + (was.priority >= 7)::integer,
        normal = normal + (was.priority BETWEEN 3 AND 6)::integer,
        low = low + (was.priority < 3)::integer
    WHERE recipient = was.recipient;
    INSERT INTO holdfast.notes (at, actor, action, subject, reason, detail)
    VALUES (
        now_ms, 'sql', 'redrive', was.id,
        'retry_count set to 0 in recovery_tasks by ' || session_user,
        json_build_object(
            'expires_at', json_build_array(was.expires_at, until),
            'status', json_build_array('dead', 'pending'),
            'due_at', json_build_array(was.due_at, now_ms),
            'revision', json_build_array(was.revision, was.revision + 1),
            'generation', json_build_array(was.generation, was.generation + 1),
            'attempt', json_build_array(was.attempt, 0),
            'counted', json_build_array(was.counted, 0),
            'code', json_build_array(was.code, NULL),
            'ended_at', json_build_array(was.ended_at, 0)
        )
    )
    ON CONFLICT DO NOTHING;
    RETURN NEW;
END
$$;

CREATE TRIGGER recovery_tasks_begin BEFORE UPDATE ON holdfast.recovery_tasks
FOR EACH STATEMENT EXECUTE FUNCTION holdfast.begin_reset();

CREATE TRIGGER recovery_tasks_reset INSTEAD OF UPDATE ON holdfast.recovery_tasks
FOR EACH ROW EXECUTE FUNCTION holdfast.reset_task();

-- Bulk work and what became of each delivery.
CREATE TABLE holdfast.operations (
    id text COLLATE "C" PRIMARY KEY,
    revision bigint NOT NULL CHECK (revision > 0),
    active boolean NOT NULL,
    body json NOT NULL
);

CREATE INDEX operations_active ON holdfast.operations (id) WHERE active;

-- One row per delivery that an operation came to.
CREATE TABLE holdfast.operation_results (
    operation_id text COLLATE "C" NOT NULL,
    delivery_id text COLLATE "C" NOT NULL,
    outcome text NOT NULL,
    reason text NOT NULL,
    revision integer NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (operation_id, delivery_id)
);

CREATE INDEX operation_results_open ON holdfast.operation_results (operation_id, delivery_id)
WHERE outcome IN ('done', 'released');

-- Failure groups: what failed the same way. The engine counts what it sees (`planning/grouping.py`);
-- people own, resolve, ignore and judge.
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
    why text COLLATE "C",
    nature text COLLATE "C" CHECK (nature IN ('temporary', 'permanent')),
    judged_at bigint NOT NULL DEFAULT 0,
    judged_by text COLLATE "C",
    cause text COLLATE "C" CHECK (
        cause IN (
            'connection', 'auth', 'data', 'system', 'business', 'performance', 'physical', 'security',
            'configuration'
        )
    ),
    caused_by text COLLATE "C",
    resolutions integer NOT NULL DEFAULT 0 CHECK (resolutions >= 0),
    regressions integer NOT NULL DEFAULT 0 CHECK (regressions >= 0)
);

CREATE INDEX failure_groups_untold ON holdfast.failure_groups (id) WHERE NOT told;
CREATE INDEX failure_groups_judged ON holdfast.failure_groups (id) WHERE nature IS NOT NULL;
-- Groups by when they were new or came back: of all accounts, and of one.
CREATE INDEX failure_groups_alert ON holdfast.failure_groups (greatest(first_at, regressed_at), id)
WHERE status <> 'resolved';
CREATE INDEX failure_groups_account ON holdfast.failure_groups (
    account, greatest(first_at, regressed_at), id
) WHERE status <> 'resolved';

-- How many tries of a group failed in each ten minutes, and how many deliveries that had failed so
-- were tried again and delivered, or died.
CREATE TABLE holdfast.failure_buckets (
    group_id text COLLATE "C" NOT NULL,
    bucket bigint NOT NULL,
    failures bigint NOT NULL CHECK (failures >= 0),
    recovered bigint NOT NULL DEFAULT 0 CHECK (recovered >= 0),
    lost bigint NOT NULL DEFAULT 0 CHECK (lost >= 0),
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
        changed_by, why, nature, judged_at, judged_by, cause, caused_by, resolutions, regressions
    ) AS body,
    nature
FROM holdfast.failure_groups;
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
