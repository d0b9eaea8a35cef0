-- Forget old keys whose payload has gone.
UPDATE holdfast.messages
SET key = NULL
WHERE
    id = ANY(ARRAY(
        SELECT id FROM holdfast.messages
        WHERE stage = 1 AND created_at < :before::bigint
        ORDER BY created_at
        LIMIT :limit::bigint
    ))
RETURNING 1
