-- The predecessor succeeded: due now.
UPDATE holdfast.deliveries AS d
SET
    status = 'pending', due_at = :now::bigint, revision = d.revision + 1, hold_gate = NULL,
    code = NULL, updated_at = :now::bigint, ended_at = 0
FROM unnest(:id::text[], :seen::integer[]) AS new (id, seen)
WHERE d.id = new.id AND d.revision = new.seen
RETURNING 1
