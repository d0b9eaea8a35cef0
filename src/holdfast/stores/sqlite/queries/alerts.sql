-- Groups that are new or came back since an instant, in which something fails now, and that nobody
-- has resolved or ignores: [the newest, whether there may be more than were looked at].
WITH looked AS MATERIALIZED (
    SELECT
        g.id, max(g.first_at, g.regressed_at) AS at,
        g.status <> 'ignored' OR (g.until > 0 AND g.until <= :now)
        OR (g.ceiling > 0 AND g.ceiling <= g.failures) AS stands
    FROM failure_groups AS g
    WHERE
        g.status <> 'resolved' AND max(g.first_at, g.regressed_at) >= :since
        AND g.account = :scope -- ?scope
    ORDER BY max(g.first_at, g.regressed_at) DESC, g.id DESC
    LIMIT :look
)
SELECT json_array(
    json((
        SELECT json_group_array(json(r.body) ORDER BY found.at DESC, found.id DESC)
        FROM (
            SELECT l.id, l.at
            FROM looked AS l
            WHERE
                l.stands
                AND EXISTS (
                    SELECT 1 FROM deliveries AS f INDEXED BY deliveries_group
                    WHERE f.fingerprint = l.id AND f.status IN ('pending', 'dead')
                )
            ORDER BY l.at DESC, l.id DESC
            LIMIT :limit
        ) AS found
        JOIN group_rows AS r ON r.id = found.id
    )),
    (SELECT count(*) FROM looked) >= :look
)
