-- Count failures of groups by time, and what became of deliveries that had failed so.
INSERT INTO failure_buckets (group_id, bucket, failures, recovered, lost)
SELECT * FROM (VALUES (?, ?, ?, ?, ?))
WHERE column1 IS NOT NULL
ON CONFLICT (group_id, bucket) DO UPDATE
SET
    failures = failures + excluded.failures,
    recovered = recovered + excluded.recovered,
    lost = lost + excluded.lost
