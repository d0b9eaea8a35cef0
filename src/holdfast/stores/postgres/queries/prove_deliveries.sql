-- A success came for deliveries that had changed meanwhile: delivered, whatever they were.
UPDATE holdfast.deliveries AS d
SET
    status = 'delivered', revision = d.revision + 1, in_doubt = false, hold_gate = NULL,
    code = NULL, http_status = new.http_status, updated_at = :now::bigint, ended_at = :now::bigint
FROM unnest(:id::text[], :seen::integer[], :http_status::integer[]) AS new (id, seen, http_status)
WHERE d.id = new.id AND d.revision = new.seen
RETURNING 1
