-- The predecessor did not succeed: these will not be sent.
UPDATE holdfast.deliveries AS d
SET
    status = 'discarded', revision = d.revision + 1, hold_gate = NULL, code = 'PREDECESSOR',
    updated_at = :now::bigint, ended_at = :now::bigint
FROM unnest(:id::text[], :seen::integer[]) AS new (id, seen)
WHERE d.id = new.id AND d.revision = new.seen
RETURNING 1
