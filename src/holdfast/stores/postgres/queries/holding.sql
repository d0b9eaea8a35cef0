-- What the store holds, and the recipients whose counters differ from their deliveries.
WITH seen AS (
    SELECT
        recipient,
        count(*) FILTER (WHERE status = 'pending') AS pending,
        count(*) FILTER (WHERE status = 'delivered') AS delivered,
        count(*) FILTER (WHERE status = 'dead') AS dead,
        count(*) FILTER (WHERE status = 'discarded') AS discarded,
        count(*) FILTER (WHERE status = 'pending' AND priority >= 7) AS high,
        count(*) FILTER (WHERE status = 'pending' AND priority BETWEEN 3 AND 6) AS normal,
        count(*) FILTER (WHERE status = 'pending' AND priority < 3) AS low
    FROM holdfast.deliveries
    GROUP BY recipient
)
SELECT json_build_array(
    (SELECT count(*) FROM holdfast.messages),
    (SELECT count(*) FROM holdfast.deliveries),
    (SELECT coalesce(sum(pending), 0) FROM seen),
    (SELECT count(*) FROM holdfast.attempts),
    (
        SELECT coalesce(json_agg(recipient), '[]')
        FROM holdfast.counters AS c FULL JOIN seen AS s USING (recipient)
        WHERE
            (c.pending, c.delivered, c.dead, c.discarded, c.high, c.normal, c.low)
            IS DISTINCT FROM
            (
                coalesce(s.pending, 0), coalesce(s.delivered, 0), coalesce(s.dead, 0),
                coalesce(s.discarded, 0), coalesce(s.high, 0), coalesce(s.normal, 0),
                coalesce(s.low, 0)
            )
    )
)::text
