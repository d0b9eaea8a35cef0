-- Remove payloads, unless somebody wants one again meanwhile, and forget their search fields. The
-- deliveries are looked at once they are locked.
WITH
locked AS MATERIALIZED (
    SELECT id, message_id, status, ended_at
    FROM holdfast.deliveries
    WHERE message_id = ANY(:ids::text[])
    ORDER BY id
    FOR NO KEY UPDATE
),
gone AS (
    UPDATE holdfast.messages AS m
    SET sealed = NULL
    WHERE
        m.id = ANY(:ids::text[])
        AND NOT EXISTS (
            SELECT 1 FROM locked AS d
            WHERE d.message_id = m.id AND (d.status = 'pending' OR d.ended_at >= :before::bigint)
        )
    RETURNING m.id
),
forgotten AS (
    DELETE FROM holdfast.search_tokens AS k USING locked, gone
    WHERE locked.message_id = gone.id AND k.delivery_id = locked.id
)
SELECT count(*) FROM gone
