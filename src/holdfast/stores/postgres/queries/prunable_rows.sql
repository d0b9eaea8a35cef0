-- Messages whose deliveries have all ended. A key outlives them: it has its own time.
SELECT array_agg(id)
FROM (
    SELECT m.id
    FROM holdfast.messages AS m
    WHERE
        m.stage IN (0, 1, 2) AND m.created_at < :before::bigint
        AND NOT EXISTS (
            SELECT 1 FROM holdfast.deliveries AS d
            WHERE d.message_id = m.id AND (d.status = 'pending' OR d.ended_at >= :before::bigint)
        )
        AND (
            m.key IS NULL
            OR EXISTS (SELECT 1 FROM holdfast.deliveries AS d WHERE d.message_id = m.id)
        )
    LIMIT :limit::bigint
) AS found
