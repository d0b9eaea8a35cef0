-- Retry events with their snapshots. A line that ends with `-- ?name` is there when that is asked
-- for; the plus keeps the planner from any index but that of the walk.
SELECT '[' || coalesce(group_concat(
    json_array(position, json(body), json(configuration), json(context), excerpt),
    ',' ORDER BY position ASC -- ?forward
    ',' ORDER BY position DESC -- ?backward
), '') || ']'
FROM (
    SELECT
        a.position,
        a.body,
        coalesce((SELECT s.body FROM snapshots AS s WHERE s.id = a.body ->> 'configuration'), 'null')
            AS configuration,
        coalesce((SELECT s.body FROM snapshots AS s WHERE s.id = a.body ->> 'context'), 'null')
            AS context,
        iif(a.excerpt IS NULL, NULL, hex(a.excerpt)) AS excerpt
    FROM ( -- Only positions: to bring a range into order, no body is read.
        SELECT position
        FROM attempts
        NOT INDEXED -- ?by_position
        INDEXED BY attempts_delivery -- ?by_delivery
        INDEXED BY attempts_recipient -- ?by_recipient
        INDEXED BY attempts_time -- ?by_time
        WHERE
            position > :after
            AND position < :before
            AND retry_timestamp >= :start -- ?start
            AND retry_timestamp < :end -- ?end
            AND delivery_id = :delivery_id -- ?delivery_id
            AND recipient = :recipient -- ?recipient
            AND +recipient IN (SELECT value FROM json_each(:among)) -- ?among
        ORDER BY position ASC -- ?forward
        ORDER BY position DESC -- ?backward
        LIMIT :limit
    ) AS found
    CROSS JOIN attempts AS a ON a.position = found.position
)
