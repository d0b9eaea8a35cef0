-- Write values that events share, once each.
INSERT OR IGNORE INTO snapshots (id, body, used_at)
SELECT * FROM (VALUES (?, ?, ?)) WHERE column1 IS NOT NULL
