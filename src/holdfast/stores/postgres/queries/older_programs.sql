-- Programs of ours that are connected and know no more than an older schema; those from before
-- they said so know the first.
SELECT array_agg(DISTINCT name || ' at ' || coalesce(host(client_addr), 'this machine'))
FROM (
    SELECT
        application_name AS name, client_addr,
        coalesce(substring(application_name FROM '^holdfast/(\d+)$')::integer, 1) AS knows
    FROM pg_stat_activity
    WHERE datname = current_database() AND application_name ~ '^holdfast(/\d+)?$'
) AS programs
WHERE knows < :version::integer
