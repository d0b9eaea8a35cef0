-- Remove payloads, unless somebody wants one again meanwhile.
UPDATE holdfast.messages AS m
SET sealed = NULL
WHERE
    m.id = ANY(:ids::text[])
    AND NOT EXISTS (
        SELECT 1 FROM holdfast.deliveries AS d
        WHERE d.message_id = m.id AND (d.status = 'pending' OR d.ended_at >= :before::bigint)
    )
RETURNING 1
