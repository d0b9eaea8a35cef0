-- Pending deliveries whose time has run out, earliest first.
SELECT '[' || coalesce(group_concat(d.body, ',' ORDER BY found.expires_at, found.place), '') || ']'
FROM (
    SELECT place, expires_at
    FROM deliveries INDEXED BY deliveries_expiry
    WHERE status = 'pending' AND expires_at <= :now
    ORDER BY expires_at
    LIMIT :limit
) AS found
JOIN delivery_rows AS d ON d.place = found.place
