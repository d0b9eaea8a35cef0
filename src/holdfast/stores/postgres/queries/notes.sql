-- Audit lines, newest first. A line that ends with `-- ?name` is there when that filter is given.
SELECT
    coalesce(
        json_agg(
            json_build_array(at, actor, action, subject, reason, detail) ORDER BY place DESC
        ),
        '[]'
    )::text
FROM (
    SELECT *
    FROM holdfast.notes
    WHERE subject = :subject::text -- ?subject
    ORDER BY place DESC
    LIMIT :limit::bigint
) AS found
