-- The predecessor has another chance: wait for it again, at least as long as it may take.
UPDATE holdfast.deliveries
SET
    status = 'pending', due_at = :never::bigint, revision = revision + 1, code = NULL,
    updated_at = :now::bigint, ended_at = 0, hold_gate = 'predecessor',
    expires_at = greatest(expires_at, :until::bigint)
WHERE id = ANY(:id::text[])
RETURNING 1
