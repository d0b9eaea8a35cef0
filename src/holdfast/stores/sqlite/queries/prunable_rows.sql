-- Messages whose deliveries have all ended. A key outlives them: it has its own time.
SELECT json_group_array(place)
FROM (
    SELECT m.place
    FROM messages AS m INDEXED BY messages_stage
    WHERE
        m.stage IN (0, 1, 2) AND m.created_at < :before
        AND NOT EXISTS (
            SELECT 1 FROM deliveries AS d INDEXED BY deliveries_message
            WHERE d.message_id = m.id AND (d.status = 'pending' OR d.ended_at >= :before)
        )
        AND (
            m.key IS NULL
            OR EXISTS (
                SELECT 1 FROM deliveries AS d INDEXED BY deliveries_message
                WHERE d.message_id = m.id
            )
        )
    LIMIT :limit
)
