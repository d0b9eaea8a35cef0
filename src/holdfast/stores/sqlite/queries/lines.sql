-- Audit lines by time; how many were looked at, and where the last of those stands.
-- A line that ends with `-- ?name` is there when that is asked for.
WITH looked AS MATERIALIZED (
    SELECT * FROM notes
    WHERE 1
        AND subject = :subject -- ?subject
        AND at >= :start -- ?start
        AND at < :end -- ?end
        AND (at, place) < (:at, :place) -- ?before
        AND (at, place) > (:at, :place) -- ?after
    ORDER BY at DESC, place DESC -- ?backward
    ORDER BY at, place -- ?forward
    LIMIT :look
),

found AS (
    SELECT * FROM looked
    WHERE 1
        AND actor = :actor -- ?actor
        AND action = :action -- ?action
        AND ( -- ?account
            account = :account -- ?account
            OR account = '' AND subject IN (SELECT value FROM json_each(:subjects)) -- ?account
        ) -- ?account
    ORDER BY at DESC, place DESC -- ?backward
    ORDER BY at, place -- ?forward
    LIMIT :limit
)

SELECT
    (
        SELECT json_group_array(
            json_array(
                place, number, hex(hash),
                json_array(at, actor, action, subject, reason, detail, account)
            )
            ORDER BY at DESC, place DESC -- ?backward
            ORDER BY at, place -- ?forward
        )
        FROM found
    ),
    (SELECT count(*) FROM looked),
    (
        SELECT json_array(at, place) FROM looked
        ORDER BY at, place -- ?backward
        ORDER BY at DESC, place DESC -- ?forward
        LIMIT 1
    )
