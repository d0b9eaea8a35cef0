-- Messages with a payload that nobody needs any more, and when the last of them came.
SELECT json_array(json_group_array(place), max(created_at))
FROM (
    SELECT m.place, m.created_at
    FROM messages AS m INDEXED BY messages_stage
    WHERE
        m.stage = 0 AND m.created_at >= :start AND m.created_at < :before
        AND NOT EXISTS (
            SELECT 1 FROM deliveries AS d INDEXED BY deliveries_message
            WHERE d.message_id = m.id AND (d.status = 'pending' OR d.ended_at >= :before)
        )
    ORDER BY m.created_at
    LIMIT :limit
)
