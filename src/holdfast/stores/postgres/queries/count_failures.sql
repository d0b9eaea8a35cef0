-- Count failures of groups by time.
INSERT INTO holdfast.failure_buckets AS b (group_id, bucket, failures)
SELECT * FROM unnest(:group_id::text[], :bucket::bigint[], :failures::bigint[])
ON CONFLICT (group_id, bucket) DO UPDATE SET failures = b.failures + excluded.failures
