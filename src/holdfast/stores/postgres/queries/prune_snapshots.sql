-- Remove what no kept event can name.
DELETE FROM holdfast.snapshots WHERE used_at < :before::bigint
