-- Remove payloads, unless somebody wants one again meanwhile.
DELETE FROM payloads
WHERE
    place IN (SELECT value FROM json_each(:places))
    AND NOT EXISTS (
        SELECT 1 FROM messages AS m
        JOIN deliveries AS d ON d.message_id = m.id
        WHERE m.place = payloads.place AND (d.status = 'pending' OR d.ended_at >= :before)
    )
