-- The predecessor has another chance: wait for it again, at least as long as it may take.
UPDATE holdfast.deliveries AS d
SET
    status = 'pending', due_at = :never::bigint, revision = d.revision + 1, code = NULL,
    updated_at = :now::bigint, ended_at = 0, hold_gate = 'predecessor',
    expires_at = greatest(d.expires_at, :until::bigint)
FROM unnest(:id::text[], :seen::integer[]) AS new (id, seen)
WHERE d.id = new.id AND d.revision = new.seen
RETURNING 1
