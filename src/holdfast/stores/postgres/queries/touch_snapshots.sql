-- Say that these are in use.
UPDATE holdfast.snapshots SET used_at = :now::bigint
WHERE id = ANY(:id::text[])
