-- Recipients with pending deliveries, and their lowest due time. The counters name the lanes, so
-- that this costs six seeks per lane however much waits.
SELECT coalesce(json_agg(json_build_array(recipient, lowest) ORDER BY recipient), '[]')::text
FROM (
    SELECT c.recipient, min(earliest.due_at) AS lowest
    FROM holdfast.counters AS c
    CROSS JOIN generate_series(0, 5) AS bands (band)
    CROSS JOIN LATERAL (
        SELECT due_at
        FROM holdfast.deliveries
        WHERE status = 'pending' AND recipient = c.recipient AND band = bands.band::smallint
        ORDER BY due_at
        LIMIT 1
    ) AS earliest
    WHERE
        c.pending > 0
        AND c.recipient = ANY(:among::text[]) -- ?among
    GROUP BY c.recipient
) AS found
