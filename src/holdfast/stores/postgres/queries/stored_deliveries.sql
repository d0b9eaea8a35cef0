-- These deliveries.
SELECT coalesce(json_agg(body), '[]')::text
FROM holdfast.delivery_bodies
WHERE id = ANY(:ids::text[])
