-- The predecessor succeeded: due now.
UPDATE holdfast.deliveries
SET
    status = 'pending', due_at = :now::bigint, revision = revision + 1, hold_gate = NULL,
    code = NULL, updated_at = :now::bigint, ended_at = 0
WHERE id = ANY(:id::text[])
RETURNING 1
