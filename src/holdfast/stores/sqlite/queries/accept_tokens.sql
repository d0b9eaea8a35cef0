-- Write the search fields of new deliveries.
INSERT INTO search_tokens (token, delivery_id)
SELECT * FROM (VALUES (?, ?)) WHERE column1 IS NOT NULL
