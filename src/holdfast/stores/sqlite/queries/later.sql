-- What of a lane is due later, over the index alone and no further than a limit.
SELECT json_object(
    'count', count(*) FILTER (WHERE due_at < :never),
    'latest', coalesce(max(due_at) FILTER (WHERE due_at < :never), 0),
    'endless', count(*) FILTER (WHERE due_at >= :never),
    'more', json(iif(count(*) > :limit, 'true', 'false'))
)
FROM (
    SELECT due_at FROM deliveries INDEXED BY deliveries_due
    WHERE status = 'pending' AND recipient = :recipient
        AND band IN (0, 1, 2, 3, 4, 5) AND due_at > :now
    LIMIT :limit + 1
)
