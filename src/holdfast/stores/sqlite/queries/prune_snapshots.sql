-- Remove what no kept event can name.
DELETE FROM snapshots WHERE used_at < :before
