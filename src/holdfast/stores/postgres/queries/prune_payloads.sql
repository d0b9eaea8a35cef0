-- Remove payloads, unless somebody wants one again meanwhile, and forget their search fields.
WITH
gone AS (
    UPDATE holdfast.messages AS m
    SET sealed = NULL
    WHERE
        m.id = ANY(:ids::text[])
        AND NOT EXISTS (
            SELECT 1 FROM holdfast.deliveries AS d
            WHERE d.message_id = m.id AND (d.status = 'pending' OR d.ended_at >= :before::bigint)
        )
    RETURNING m.id
),
forgotten AS (
    DELETE FROM holdfast.search_tokens AS k USING holdfast.deliveries AS d, gone
    WHERE d.message_id = gone.id AND k.delivery_id = d.id
)
SELECT count(*) FROM gone
