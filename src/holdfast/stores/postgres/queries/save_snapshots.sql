-- Write values that events share, once each.
INSERT INTO holdfast.snapshots (id, body, used_at)
SELECT new.id, new.body::json, new.used_at
FROM unnest(:id::text[], :body::text[], :used_at::bigint[]) AS new (id, body, used_at)
ON CONFLICT (id) DO NOTHING
