-- The tables of a store that a backup holds: all but those that say where this
-- database stands, who works on it, and what is asked of whom.
SELECT array_agg(relname::text ORDER BY relname)
FROM pg_class
WHERE
    relnamespace = to_regnamespace('holdfast') AND relkind IN ('r', 'p') AND NOT relispartition
    AND relname NOT IN ('lane_orders', 'owner', 'version', 'workers')
