-- The predecessor has another chance: wait for it again.
UPDATE deliveries
SET
    status = 'pending', due_at = :never, revision = revision + 1, code = NULL, updated_at = :now,
    ended_at = 0
WHERE place IN (SELECT value FROM json_each(:places))
