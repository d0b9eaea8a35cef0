-- Write the payloads of new messages.
INSERT INTO payloads (place, sealed)
SELECT * FROM (VALUES (?, ?)) WHERE column1 IS NOT NULL
