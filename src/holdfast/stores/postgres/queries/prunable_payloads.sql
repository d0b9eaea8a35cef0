-- Messages with a payload that nobody needs any more, and when the last of them came.
SELECT array_agg(id), max(created_at)
FROM (
    SELECT m.id, m.created_at
    FROM holdfast.messages AS m
    WHERE
        m.stage = 0
        AND m.created_at >= :start::bigint AND m.created_at < :before::bigint
        AND NOT EXISTS (
            SELECT 1 FROM holdfast.deliveries AS d
            WHERE d.message_id = m.id AND (d.status = 'pending' OR d.ended_at >= :before::bigint)
        )
    ORDER BY m.created_at
    LIMIT :limit::bigint
) AS found
