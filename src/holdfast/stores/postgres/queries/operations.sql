-- Operations, newest first. A line that ends with `-- ?name` is there when that filter is given.
SELECT coalesce(json_agg(body ORDER BY id DESC), '[]')::text
FROM (
    SELECT id, body
    FROM holdfast.operations
    WHERE
        id < :below::text
        AND active -- ?active
    ORDER BY id DESC
    LIMIT :limit::bigint
) AS found
