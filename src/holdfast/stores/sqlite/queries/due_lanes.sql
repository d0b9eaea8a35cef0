-- Recipients with pending deliveries, and their lowest due time. The counters name the lanes, so
-- that this costs six seeks per lane however much waits.
SELECT json_group_array(json_array(recipient, lowest) ORDER BY recipient)
FROM (
    SELECT
        recipient,
        min(
        coalesce((
            SELECT min(due_at) FROM deliveries INDEXED BY deliveries_due
            WHERE status = 'pending' AND recipient = counters.recipient AND band = 0
        ), :never),
        coalesce((
            SELECT min(due_at) FROM deliveries INDEXED BY deliveries_due
            WHERE status = 'pending' AND recipient = counters.recipient AND band = 1
        ), :never),
        coalesce((
            SELECT min(due_at) FROM deliveries INDEXED BY deliveries_due
            WHERE status = 'pending' AND recipient = counters.recipient AND band = 2
        ), :never),
        coalesce((
            SELECT min(due_at) FROM deliveries INDEXED BY deliveries_due
            WHERE status = 'pending' AND recipient = counters.recipient AND band = 3
        ), :never),
        coalesce((
            SELECT min(due_at) FROM deliveries INDEXED BY deliveries_due
            WHERE status = 'pending' AND recipient = counters.recipient AND band = 4
        ), :never),
        coalesce((
            SELECT min(due_at) FROM deliveries INDEXED BY deliveries_due
            WHERE status = 'pending' AND recipient = counters.recipient AND band = 5
        ), :never)
        ) AS lowest
    FROM counters
    WHERE pending > 0
)
