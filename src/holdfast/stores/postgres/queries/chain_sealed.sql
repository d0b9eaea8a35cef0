-- Audit lines of the chain after a number, in order.
SELECT
    coalesce(
        json_agg(
            json_build_array(
                place, number, encode(hash, 'hex'),
                json_build_array(at, actor, action, subject, reason, detail, account)
            )
            ORDER BY number
        ),
        '[]'
    )::text
FROM (
    SELECT *
    FROM holdfast.notes
    WHERE number > :after::bigint
    ORDER BY number
    LIMIT :limit::bigint
) AS found
