-- Dead deliveries by who looks at them: [assignee, number, worth, the oldest].
SELECT json_group_array(json_array(assignee, number, worth, oldest))
FROM (
    SELECT assignee, count(*) AS number, total(value) AS worth, min(id) AS oldest
    FROM deliveries INDEXED BY deliveries_assignee
    WHERE
        assignee IS NOT NULL AND status = 'dead'
        AND account = :scope -- ?scope
    GROUP BY assignee
    LIMIT :limit
)
