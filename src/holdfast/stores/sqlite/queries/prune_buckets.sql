-- Forget when groups failed long ago.
DELETE FROM failure_buckets WHERE bucket < :before
