-- Who has the owner's lock.
SELECT
    a.application_name AS name,
    coalesce(host(a.client_addr), 'this machine') AS place,
    to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') AS since
FROM pg_locks AS l
JOIN pg_stat_activity AS a ON a.pid = l.pid
WHERE
    l.locktype = 'advisory' AND l.granted
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND l.classid::bigint = :lock::bigint >> 32
    AND l.objid::bigint = :lock::bigint & 4294967295
LIMIT 1
