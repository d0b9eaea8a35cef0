-- Results of an operation, newest delivery first. Lines that end with `-- ?name` are there when
-- asked for.
SELECT json_group_array(
    json_array(delivery_id, outcome, reason, revision, at) ORDER BY delivery_id DESC
)
FROM (
    SELECT *
    FROM operation_results
    WHERE
        operation_id = :id AND delivery_id < :below
        AND outcome IN ('done', 'released') -- ?opened
        AND outcome IN (SELECT value FROM json_each(:outcomes)) -- ?outcomes
    ORDER BY delivery_id DESC
    LIMIT :limit
)
