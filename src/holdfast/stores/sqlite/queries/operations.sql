-- Operations, newest first. Lines that end with `-- ?name` are there when asked for.
SELECT '[' || coalesce(group_concat(body, ',' ORDER BY id DESC), '') || ']'
FROM (
    SELECT id, body
    FROM operations
    WHERE
        id < :below
        AND active = 1 -- ?active
    ORDER BY id DESC
    LIMIT :limit
)
