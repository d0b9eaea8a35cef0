-- Results of an operation, newest delivery first. A line that ends with `-- ?name` is there when
-- that filter is given.
SELECT
    coalesce(
        json_agg(
            json_build_array(delivery_id, outcome, reason, revision, at) ORDER BY delivery_id DESC
        ),
        '[]'
    )::text
FROM (
    SELECT *
    FROM holdfast.operation_results
    WHERE
        operation_id = :id::text AND delivery_id < :below::text
        AND outcome IN ('done', 'released') -- ?opened
        AND outcome = ANY(:outcomes::text[]) -- ?outcomes
    ORDER BY delivery_id DESC
    LIMIT :limit::bigint
) AS found
