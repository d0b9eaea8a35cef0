-- What of a lane is due later, over the index alone and no further than a limit.
SELECT
    json_build_object(
        'count', count(*) FILTER (WHERE due_at < :never::bigint),
        'latest', coalesce(max(due_at) FILTER (WHERE due_at < :never::bigint), 0),
        'endless', count(*) FILTER (WHERE due_at >= :never::bigint),
        'more', count(*) > :limit::bigint
    )::text
FROM (
    SELECT found.due_at
    FROM generate_series(0, 5) AS bands (band)
    CROSS JOIN LATERAL (
        SELECT due_at
        FROM holdfast.deliveries
        WHERE
            status = 'pending' AND recipient = :recipient::text
            AND band = bands.band::smallint AND due_at > :now::bigint
        LIMIT :limit::bigint + 1
    ) AS found
    LIMIT :limit::bigint + 1
) AS waiting
