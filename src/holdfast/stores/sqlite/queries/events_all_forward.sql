-- Retry events of any kind, oldest first.
SELECT '[' || coalesce(group_concat(
    json_array(position, json(body), json(configuration), json(context), excerpt),
    ',' ORDER BY position ASC
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
    FROM (
        SELECT position, body, excerpt
        FROM attempts NOT INDEXED
        WHERE
            position > :after
            AND position < :before
            AND retry_timestamp >= :start
            AND retry_timestamp < :end
        ORDER BY position ASC
        LIMIT :limit
    ) AS a
)
