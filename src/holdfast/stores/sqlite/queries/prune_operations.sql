-- Remove operations that ended before and have no results any more.
DELETE FROM operations
WHERE
    active = 0 AND body ->> 'ended_at' BETWEEN 1 AND :before - 1
    AND NOT EXISTS (SELECT 1 FROM operation_results AS r WHERE r.operation_id = operations.id)
