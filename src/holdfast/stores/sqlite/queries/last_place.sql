-- The place of the newest message.
SELECT coalesce(max(place), 0) FROM messages
