-- Remove results of an operation that ended before.
DELETE FROM holdfast.operation_results AS r
USING
    (
        SELECT one.operation_id, one.delivery_id
        FROM holdfast.operations AS o
        JOIN holdfast.operation_results AS one ON one.operation_id = o.id
        WHERE
            NOT o.active
            AND (o.body ->> 'ended_at')::bigint BETWEEN 1 AND :before::bigint - 1
        LIMIT :limit::bigint
    ) AS gone
WHERE r.operation_id = gone.operation_id AND r.delivery_id = gone.delivery_id
