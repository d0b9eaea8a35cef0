-- Write messages; the rows are padded with NULLs to a fixed number, so that statements are reused.
INSERT INTO messages (
    place, purged, id, account, flow, key, digest, size, value, priority, quality, region, consent,
    not_before, expires_at, created_at
)
SELECT * FROM (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)) WHERE column1 IS NOT NULL
