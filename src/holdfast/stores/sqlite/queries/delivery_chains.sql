-- Everything that waits behind these deliveries, nearest first.
WITH RECURSIVE chain (
    depth, place, id, predecessor, status, recipient, due_at, code, priority, revision
) AS (
    SELECT 1, place, id, predecessor, status, recipient, due_at, code, priority, revision
    FROM deliveries
    WHERE predecessor IN (SELECT value FROM json_each(:ids))
    UNION
    SELECT
        chain.depth + 1, d.place, d.id, d.predecessor, d.status, d.recipient, d.due_at, d.code,
        d.priority, d.revision
    FROM chain
    JOIN deliveries AS d ON d.predecessor = chain.id
    WHERE chain.depth < 1000
)
SELECT json_group_array(
    json_array(place, id, predecessor, status, recipient, due_at, code, priority, revision)
    ORDER BY depth, place
)
FROM chain
