-- The predecessor did not succeed: these will not be sent.
UPDATE holdfast.deliveries
SET
    status = 'discarded', revision = revision + 1, hold_gate = NULL, code = 'PREDECESSOR',
    updated_at = :now::bigint, ended_at = :now::bigint
WHERE id = ANY(:id::text[])
RETURNING 1
