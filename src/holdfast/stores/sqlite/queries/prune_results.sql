-- Remove results of an operation that ended before.
DELETE FROM operation_results
WHERE (operation_id, delivery_id) IN (
    SELECT r.operation_id, r.delivery_id
    FROM operations AS o
    JOIN operation_results AS r ON r.operation_id = o.id
    WHERE o.active = 0 AND o.body ->> 'ended_at' BETWEEN 1 AND :before - 1
    LIMIT :limit
)
