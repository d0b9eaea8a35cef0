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
