-- Forget old keys whose payload has gone.
UPDATE messages SET key = NULL
WHERE place IN (
    SELECT place FROM messages INDEXED BY messages_stage
    WHERE stage = 1 AND created_at < :before ORDER BY created_at LIMIT :limit
)
