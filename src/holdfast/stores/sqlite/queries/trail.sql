-- What was tried after a position, oldest first, without the events' bodies.
SELECT json_group_array(json_array(position, delivery_id, recipient, outcome) ORDER BY position)
FROM (
    SELECT position, delivery_id, recipient, outcome
    FROM attempts NOT INDEXED
    WHERE position > :after
    ORDER BY position
    LIMIT :limit
)
