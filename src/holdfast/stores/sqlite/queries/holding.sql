-- What the store holds, and the recipients whose counters differ from their deliveries.
WITH seen AS (
    SELECT
        recipient,
        sum(status = 'pending') AS pending,
        sum(status = 'delivered') AS delivered,
        sum(status = 'dead') AS dead,
        sum(status = 'discarded') AS discarded,
        sum(status = 'pending' AND priority >= 7) AS high,
        sum(status = 'pending' AND priority BETWEEN 3 AND 6) AS normal,
        sum(status = 'pending' AND priority < 3) AS low
    FROM deliveries
    GROUP BY recipient
)
SELECT json_array(
    (SELECT count(*) FROM messages),
    (SELECT count(*) FROM deliveries),
    (SELECT coalesce(sum(pending), 0) FROM seen),
    (SELECT count(*) FROM attempts),
    json((
        SELECT json_group_array(recipient)
        FROM counters AS c FULL JOIN seen AS s USING (recipient)
        WHERE
            (
                c.pending, c.delivered, c.dead, c.discarded, c.high, c.normal, c.low, c.created
            ) IS NOT (
                coalesce(s.pending, 0), coalesce(s.delivered, 0), coalesce(s.dead, 0),
                coalesce(s.discarded, 0), coalesce(s.high, 0), coalesce(s.normal, 0),
                coalesce(s.low, 0),
                c.pending + c.delivered + c.dead + c.discarded + c.pruned
            )
    ))
)
