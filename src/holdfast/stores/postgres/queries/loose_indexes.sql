-- Indexes that take far more room than what they hold, as the last vacuum left them.
SELECT format('%I.%I', n.nspname, c.relname) AS name
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_index AS i ON i.indexrelid = c.oid
WHERE
    n.nspname = 'holdfast' AND c.relkind = 'i' AND i.indisvalid
    AND c.relpages >= :pages::bigint AND c.reltuples >= 0
    AND c.relpages * 8192.0 > greatest(c.reltuples, 1) * :width::bigint
ORDER BY c.relname
