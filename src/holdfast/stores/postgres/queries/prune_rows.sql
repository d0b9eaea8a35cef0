-- Remove messages with their deliveries, unless somebody wants one again meanwhile, and count
-- these as pruned. Of a message whose key is kept longer the row stays. The deliveries are looked
-- at once they are locked: another worker may have returned one to its lane a moment ago.
WITH
locked AS MATERIALIZED (
    SELECT id, message_id, recipient, status, ended_at
    FROM holdfast.deliveries
    WHERE message_id = ANY(:ids::text[])
    ORDER BY id
    FOR UPDATE
),
gone AS MATERIALIZED (
    SELECT m.id
    FROM holdfast.messages AS m
    WHERE
        m.id = ANY(:ids::text[])
        AND NOT EXISTS (
            SELECT 1 FROM locked AS d
            WHERE d.message_id = m.id AND (d.status = 'pending' OR d.ended_at >= :before::bigint)
        )
),
deleted AS (
    DELETE FROM holdfast.deliveries AS d USING locked, gone
    WHERE d.id = locked.id AND locked.message_id = gone.id
    RETURNING locked.id, locked.recipient, locked.status
),
forgotten AS (
    DELETE FROM holdfast.search_tokens AS k USING deleted
    WHERE k.delivery_id = deleted.id
),
sums AS (
    SELECT
        recipient,
        count(*) AS number,
        count(*) FILTER (WHERE status = 'delivered') AS delivered,
        count(*) FILTER (WHERE status = 'dead') AS dead,
        count(*) FILTER (WHERE status = 'discarded') AS discarded
    FROM deleted
    GROUP BY recipient
),
counted AS (
    UPDATE holdfast.counters AS c
    SET
        delivered = c.delivered - sums.delivered, dead = c.dead - sums.dead,
        discarded = c.discarded - sums.discarded, pruned = c.pruned + sums.number
    FROM sums
    WHERE c.recipient = sums.recipient
),
kept AS (
    UPDATE holdfast.messages AS m SET sealed = NULL
    FROM gone
    WHERE m.id = gone.id AND m.key IS NOT NULL
),
removed AS (
    DELETE FROM holdfast.messages AS m USING gone
    WHERE m.id = gone.id AND m.key IS NULL
)
SELECT count(*) FROM gone
