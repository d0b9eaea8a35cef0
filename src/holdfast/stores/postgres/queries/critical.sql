-- Deliveries that fail, of a priority or above, the most urgent and newest first: [how many, up to
-- `look`, the first of them].
WITH looked AS MATERIALIZED (
    SELECT t.id, t.priority
    FROM holdfast.deliveries AS t
    WHERE
        t.priority >= :priority::bigint
        AND (t.status = 'dead' OR (t.status = 'pending' AND t.fingerprint IS NOT NULL))
        AND t.account = :scope::text -- ?scope
    ORDER BY t.priority DESC, t.id DESC
    LIMIT :look::bigint
)
SELECT json_build_array(
    (SELECT count(*) FROM looked),
    (
        SELECT coalesce(json_agg(d.body ORDER BY w.priority DESC, w.id DESC), '[]')
        FROM (SELECT * FROM looked ORDER BY priority DESC, id DESC LIMIT :limit::bigint) AS w
        JOIN holdfast.delivery_bodies AS d ON d.id = w.id
    )
)::text
