-- What of the versions has been cleaned up after: the second halves of migrations, which run when
-- no older program is left.
ALTER TABLE holdfast.version ADD COLUMN cleaned integer NOT NULL DEFAULT 1;

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
