-- These deliveries.
SELECT coalesce(json_agg(body), '[]')::text
FROM holdfast.delivery_rows
WHERE id = ANY(:ids::text[])
