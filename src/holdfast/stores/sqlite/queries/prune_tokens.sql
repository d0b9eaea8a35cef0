-- Forget the search fields of these messages, but for those whose payload is kept.
DELETE FROM search_tokens
WHERE delivery_id IN (
    SELECT d.id
    FROM messages AS m
    JOIN deliveries AS d ON d.message_id = m.id
    WHERE
        m.place IN (SELECT value FROM json_each(:places))
        AND NOT EXISTS (SELECT 1 FROM payloads AS p WHERE p.place = m.place)
)
