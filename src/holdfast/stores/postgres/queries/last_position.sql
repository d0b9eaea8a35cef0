-- The position below which every event is there; see events.sql.
SELECT ((pg_snapshot_xmin(pg_current_snapshot())::text::bigint + shift) << 13) - 1
FROM holdfast.owner
