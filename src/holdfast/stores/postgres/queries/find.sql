-- Deliveries by filter, newest first. A line that ends with `-- ?name` is there when that filter
-- is given. Ids follow the time of acceptance, give or take the second that an intake waits for
-- its commit: what is older than the first message since then is not looked at.
SELECT coalesce(json_agg(d.body ORDER BY d.id DESC), '[]')::text
FROM (
    SELECT id
    FROM holdfast.deliveries
    WHERE
        id < :below::text
        AND status = :status::text -- ?status
        AND status <> 'delivered' -- ?open
        AND recipient = :recipient::text -- ?recipient
        AND flow = :flow::text -- ?flow
        AND failure_class = :failure_class::text -- ?failure_class
        AND message_id = :message_id::text -- ?message_id
        AND created_at >= :since::bigint -- ?since
        AND id >= ( -- ?since
            SELECT min(d.id) -- ?since
            FROM generate_series(0, 2) AS stages (stage) -- ?since
            CROSS JOIN LATERAL ( -- ?since
                SELECT id FROM holdfast.messages -- ?since
                WHERE stage = stages.stage::smallint AND created_at >= :floor::bigint -- ?since
                ORDER BY created_at LIMIT 1 -- ?since
            ) AS oldest -- ?since
            JOIN holdfast.deliveries AS d ON d.message_id = oldest.id -- ?since
        ) -- ?since
    ORDER BY id DESC
    LIMIT :limit::bigint
) AS found
JOIN holdfast.delivery_rows AS d ON d.id = found.id
