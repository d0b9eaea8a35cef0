-- Dead deliveries by who looks at them: [assignee, number, worth, the oldest].
SELECT coalesce(json_agg(json_build_array(assignee, number, worth, oldest)), '[]')::text
FROM (
    SELECT assignee, count(*) AS number, sum(value) AS worth, min(id) AS oldest
    FROM holdfast.deliveries
    WHERE
        assignee IS NOT NULL AND status = 'dead'
        AND account = :scope::text -- ?scope
    GROUP BY assignee
    ORDER BY assignee
    LIMIT :limit::bigint
) AS found
