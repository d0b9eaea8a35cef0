-- Count failures of groups by time.
INSERT INTO failure_buckets (group_id, bucket, failures)
SELECT * FROM (VALUES (?, ?, ?))
WHERE column1 IS NOT NULL
ON CONFLICT (group_id, bucket) DO UPDATE SET failures = failures + excluded.failures
