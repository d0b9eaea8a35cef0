-- Pending deliveries whose time has run out, earliest first.
SELECT coalesce(json_agg(d.body ORDER BY found.expires_at, found.id), '[]')::text
FROM (
    SELECT id, expires_at
    FROM holdfast.deliveries
    WHERE status = 'pending' AND expires_at <= :now::bigint
    ORDER BY expires_at
    LIMIT :limit::bigint
) AS found
JOIN holdfast.delivery_bodies AS d ON d.id = found.id
