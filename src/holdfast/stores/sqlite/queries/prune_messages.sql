-- Remove these messages, but for those whose key is kept longer.
DELETE FROM messages WHERE place IN (SELECT value FROM json_each(:places)) AND key IS NULL
