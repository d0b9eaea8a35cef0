-- The predecessor has another chance: wait for it again, at least as long as it may take.
UPDATE deliveries
SET
    status = 'pending', due_at = :never, revision = revision + 1, code = NULL, updated_at = :now,
    ended_at = 0, hold_gate = 'predecessor', expires_at = max(expires_at, :until)
WHERE place IN (SELECT value FROM json_each(:places))
