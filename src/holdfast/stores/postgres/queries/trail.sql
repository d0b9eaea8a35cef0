-- What was tried after a position, oldest first, without the events' bodies; see events.sql.
SELECT
    coalesce(
        json_agg(
            json_build_array(a.position, a.delivery_id, a.recipient, a.outcome) ORDER BY a.position
        ),
        '[]'
    )::text
FROM (
    SELECT position, delivery_id, recipient, outcome
    FROM holdfast.attempts
    WHERE
        position > :after::bigint
        AND position < (
            SELECT (pg_snapshot_xmin(pg_current_snapshot())::text::bigint + shift) << 13
            FROM holdfast.owner
        )
    ORDER BY position
    LIMIT :limit::bigint
) AS a
