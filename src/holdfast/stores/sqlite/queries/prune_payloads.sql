-- Remove payloads, unless somebody wants one again meanwhile.
UPDATE messages
SET sealed = NULL
WHERE
    place IN (SELECT value FROM json_each(:places)) AND sealed IS NOT NULL
    AND NOT EXISTS (
        SELECT 1 FROM deliveries AS d
        WHERE d.message_id = messages.id AND (d.status = 'pending' OR d.ended_at >= :before)
    )
