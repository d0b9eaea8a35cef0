-- Groups that are new or came back since an instant, in which something fails now, and that nobody
-- has resolved or ignores: [the newest, whether there may be more than were looked at].
WITH looked AS MATERIALIZED (
    SELECT
        g.id, greatest(g.first_at, g.regressed_at) AS at,
        g.status <> 'ignored' OR (g.until > 0 AND g.until <= :now::bigint)
        OR (g.ceiling > 0 AND g.ceiling <= g.failures) AS stands
    FROM holdfast.failure_groups AS g
    WHERE
        g.status <> 'resolved' AND greatest(g.first_at, g.regressed_at) >= :since::bigint
        AND g.account = :scope::text -- ?scope
    ORDER BY greatest(g.first_at, g.regressed_at) DESC, g.id DESC
    LIMIT :look::bigint
)
SELECT json_build_array(
    (
        SELECT coalesce(json_agg(r.body ORDER BY found.at DESC, found.id DESC), '[]')
        FROM (
            SELECT l.id, l.at
            FROM looked AS l
            WHERE
                l.stands
                AND EXISTS (
                    SELECT 1 FROM holdfast.deliveries AS f
                    WHERE f.fingerprint = l.id AND f.status IN ('pending', 'dead')
                )
            ORDER BY l.at DESC, l.id DESC
            LIMIT :limit::bigint
        ) AS found
        JOIN holdfast.group_rows AS r ON r.id = found.id
    ),
    (SELECT count(*) FROM looked) >= :look::bigint
)::text
