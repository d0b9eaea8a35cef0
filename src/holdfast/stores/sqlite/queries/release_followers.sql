-- The predecessor succeeded: due now.
UPDATE deliveries
SET
    status = 'pending', due_at = :now, revision = revision + 1, hold_gate = NULL, code = NULL,
    updated_at = :now, ended_at = 0
WHERE place IN (SELECT value FROM json_each(:places))
