-- Remove the deliveries of these messages.
DELETE FROM deliveries
WHERE message_id IN (
    SELECT id FROM messages WHERE place IN (SELECT value FROM json_each(:places))
)
