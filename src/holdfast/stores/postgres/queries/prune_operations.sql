-- Remove operations that ended before and have no results any more.
DELETE FROM holdfast.operations AS o
WHERE
    NOT o.active
    AND (o.body ->> 'ended_at')::bigint BETWEEN 1 AND :before::bigint - 1
    AND NOT EXISTS (SELECT FROM holdfast.operation_results AS r WHERE r.operation_id = o.id)
