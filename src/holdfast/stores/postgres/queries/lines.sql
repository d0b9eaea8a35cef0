-- Audit lines by time; how many were looked at, and where the last of those stands.
-- A line that ends with `-- ?name` is there when that is asked for.
WITH looked AS MATERIALIZED (
    SELECT *
    FROM holdfast.notes
    WHERE true
        AND subject = :subject::text -- ?subject
        AND at >= :start::bigint -- ?start
        AND at < :end::bigint -- ?end
        AND (at, place) < (:at::bigint, :place::bigint) -- ?before
        AND (at, place) > (:at::bigint, :place::bigint) -- ?after
    ORDER BY at DESC, place DESC -- ?backward
    ORDER BY at, place -- ?forward
    LIMIT :look::bigint
),

found AS (
    SELECT *
    FROM looked
    WHERE true
        AND actor = :actor::text -- ?actor
        AND action = :action::text -- ?action
        AND ( -- ?account
            account = :account::text -- ?account
            OR account = '' AND subject = any(:subjects::text[]) -- ?account
        ) -- ?account
    ORDER BY at DESC, place DESC -- ?backward
    ORDER BY at, place -- ?forward
    LIMIT :limit::bigint
)

SELECT
    (
        SELECT
            coalesce(
                json_agg(
                    json_build_array(
                        place, number, encode(hash, 'hex'),
                        json_build_array(at, actor, action, subject, reason, detail, account)
                    )
                    ORDER BY at DESC, place DESC -- ?backward
                    ORDER BY at, place -- ?forward
                ),
                '[]'
            )::text
        FROM found
    ),
    (SELECT count(*) FROM looked),
    (
        SELECT json_build_array(at, place)::text
        FROM looked
        ORDER BY at, place -- ?backward
        ORDER BY at DESC, place DESC -- ?forward
        LIMIT 1
    )
