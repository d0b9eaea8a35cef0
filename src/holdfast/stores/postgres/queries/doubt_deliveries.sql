-- Sends of which the recipients may have taken the payload ended after the deliveries had changed:
-- the changes stay, and that is not forgotten.
UPDATE holdfast.deliveries AS d
SET in_doubt = true, revision = d.revision + 1, updated_at = :now::bigint
FROM unnest(:id::text[], :seen::integer[]) AS new (id, seen)
WHERE d.id = new.id AND d.revision = new.seen
RETURNING 1
