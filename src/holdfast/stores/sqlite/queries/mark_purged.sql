-- Note that these messages have no payload any more.
UPDATE messages SET purged = 1
WHERE
    place IN (SELECT value FROM json_each(:places)) AND purged = 0
    AND NOT EXISTS (SELECT 1 FROM payloads WHERE payloads.place = messages.place)
