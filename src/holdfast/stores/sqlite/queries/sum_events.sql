-- Retry events after a position, by the day on which their tries began: how many, the last of them,
-- and their rows as text, which is what is summed. The separators stand in no field: JSON and names
-- have no control characters.
SELECT
    retry_timestamp / 86400000,
    count(*),
    max(position),
    cast(group_concat(
        concat_ws(
            char(31), position, event_id, delivery_id, recipient, retry_timestamp, outcome,
            coalesce(failure_class, ''), body, coalesce(hex(excerpt), '')
        ),
        char(30) ORDER BY position
    ) AS BLOB)
FROM (
    SELECT * FROM attempts NOT INDEXED
    WHERE position > :after AND position <= :until
    ORDER BY position
    LIMIT :limit
)
GROUP BY 1
ORDER BY 1
