-- Deliveries of these messages in the flow's order: message id -> [[id, step, recipient]].
SELECT json_group_object(message_id, json(answer))
FROM (
    SELECT message_id, json_group_array(json_array(id, step, recipient) ORDER BY place) AS answer
    FROM deliveries INDEXED BY deliveries_message
    WHERE message_id IN (SELECT value FROM json_each(:ids))
    GROUP BY message_id
)
