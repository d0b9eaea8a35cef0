-- The days that have a partition, counted from 1970.
SELECT array_agg(to_date(substr(c.relname, 10), 'YYYY_MM_DD') - date '1970-01-01')
FROM pg_inherits AS i
JOIN pg_class AS c ON c.oid = i.inhrelid
WHERE i.inhparent = 'holdfast.attempts'::regclass
