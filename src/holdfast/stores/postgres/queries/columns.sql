-- The columns of a table that are written, in their order.
SELECT array_agg(attname::text ORDER BY attnum)
FROM pg_attribute
WHERE
    attrelid = to_regclass('holdfast.' || :table::text) AND attnum > 0 AND NOT attisdropped
    AND attgenerated = '' AND attidentity = ''
