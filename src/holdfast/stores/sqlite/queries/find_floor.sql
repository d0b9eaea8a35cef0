-- A delivery that is no newer than any accepted at or after an instant: ids follow the time of
-- acceptance, give or take the second that an intake waits for its commit. NULL: there is none.
SELECT min(d.id)
FROM (
    SELECT
        (
            SELECT id FROM messages
            WHERE stage = stages.value AND created_at >= :since ORDER BY created_at LIMIT 1
        ) AS id
    FROM json_each('[0, 1, 2]') AS stages
) AS first
JOIN deliveries AS d ON d.message_id = first.id
