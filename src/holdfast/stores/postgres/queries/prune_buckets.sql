-- Forget when groups failed long ago.
DELETE FROM holdfast.failure_buckets WHERE bucket < :before::bigint
