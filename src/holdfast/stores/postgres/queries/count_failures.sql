-- Count failures of groups by time, and what became of deliveries that had failed so.
INSERT INTO holdfast.failure_buckets AS b (group_id, bucket, failures, recovered, lost)
SELECT *
FROM unnest(
    :group_id::text[], :bucket::bigint[], :failures::bigint[], :recovered::bigint[],
    :lost::bigint[]
)
ON CONFLICT (group_id, bucket) DO UPDATE
SET
    failures = b.failures + excluded.failures,
    recovered = b.recovered + excluded.recovered,
    lost = b.lost + excluded.lost
