-- Store time, the workers, the lanes that none of them owns though deliveries wait in them, or they
-- were offered, and those of which somebody wants something.
SELECT json_build_object(
    'now', holdfast.store_now(),
    'members', (
        SELECT coalesce(json_agg(json_build_object(
            'epoch', w.epoch,
            'worker', json_build_object(
                'name', w.name, 'host', w.host, 'pid', w.pid, 'version', w.version,
                'configuration', w.configuration, 'slots', w.slots, 'lease_ms', w.lease_ms
            ),
            'started_at', w.started_at,
            'lease_until', w.lease_until,
            'in_flight', w.in_flight,
            'leaving', w.leaving,
            'open_slots', w.open_slots,
            'lanes', (SELECT count(*) FROM holdfast.lanes AS l WHERE l.owner = w.epoch)
        ) ORDER BY w.epoch), '[]')
        FROM holdfast.workers AS w
    ),
    'free', (
        SELECT coalesce(json_agg(found.recipient ORDER BY found.recipient), '[]')
        FROM (
            SELECT c.recipient
            FROM holdfast.counters AS c
            LEFT JOIN holdfast.lanes AS l ON l.recipient = c.recipient
            WHERE c.pending > 0 AND l.owner IS NULL
            UNION
            SELECT recipient FROM holdfast.lanes WHERE owner IS NULL AND offered
        ) AS found
    ),
    'orders', (
        SELECT coalesce(json_agg(DISTINCT recipient), '[]') FROM holdfast.lane_orders
    )
)::text
