-- Everything that waits behind these deliveries, nearest first.
WITH RECURSIVE chain AS (
    SELECT 1 AS depth, d.*
    FROM holdfast.deliveries AS d
    WHERE d.predecessor = ANY(:ids::text[])
    UNION
    SELECT chain.depth + 1, d.*
    FROM chain
    JOIN holdfast.deliveries AS d ON d.predecessor = chain.id
    WHERE chain.depth < 1000
)
SELECT
    coalesce(
        json_agg(
            json_build_array(
                id, id, predecessor, status, recipient, due_at, code, priority, revision
            )
            ORDER BY depth, message_id, ordinal
        ),
        '[]'
    )::text
FROM chain
