-- Those leave only their key.
UPDATE messages SET sealed = NULL
WHERE place IN (SELECT value FROM json_each(:places)) AND sealed IS NOT NULL
