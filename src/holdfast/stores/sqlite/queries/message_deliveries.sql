-- Deliveries of a message in the flow's order: [id, step, recipient].
SELECT json_group_array(json_array(id, step, recipient) ORDER BY place)
FROM deliveries
WHERE message_id = :message_id
