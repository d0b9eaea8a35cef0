-- Audit lines without a place in the chain, in order.
SELECT
    coalesce(
        json_agg(
            json_build_array(
                place, number, encode(hash, 'hex'),
                json_build_array(at, actor, action, subject, reason, detail, account)
            )
            ORDER BY place
        ),
        '[]'
    )::text
FROM (
    SELECT *
    FROM holdfast.notes
    WHERE number IS NULL
    ORDER BY place
    LIMIT :limit::bigint
) AS found
