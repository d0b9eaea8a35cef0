-- Messages with a payload that nobody needs any more.
SELECT json_group_array(place)
FROM (
    SELECT m.place
    FROM messages AS m INDEXED BY messages_stage
    WHERE
        m.stage = 0 AND m.created_at < :before
        AND NOT EXISTS (
            SELECT 1 FROM deliveries AS d INDEXED BY deliveries_message
            WHERE d.message_id = m.id AND (d.status = 'pending' OR d.ended_at >= :before)
        )
    ORDER BY m.created_at
    LIMIT :limit
)
