-- Write the search fields of new deliveries.
INSERT INTO holdfast.search_tokens (token, delivery_id)
SELECT * FROM unnest(:token::bytea[], :delivery_id::text[])
