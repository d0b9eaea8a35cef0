-- Retry events after a position, by the day on which their tries began: how many, the sum of their
-- rows as text, and the last position. The separators stand in no field: JSON and names have no
-- control characters. Below the oldest open transaction nothing can appear any more (events.sql).
SELECT
    json_build_array(
        coalesce(max(s.last), :after::bigint),
        coalesce(json_agg(json_build_array(s.day, s.number, s.digest) ORDER BY s.day), '[]')
    )::text
FROM (
    SELECT
        e.retry_timestamp / 86400000 AS day,
        count(*) AS number,
        max(e.position) AS last,
        encode(
            sha256(
                convert_to(
                    string_agg(
                        concat_ws(
                            E'\x1f', e.position, e.event_id, e.delivery_id, e.recipient,
                            e.retry_timestamp, e.outcome, coalesce(e.failure_class, ''), e.body,
                            coalesce(upper(encode(e.excerpt, 'hex')), '')
                        ),
                        E'\x1e' ORDER BY e.position
                    ),
                    'UTF8'
                )
            ),
            'hex'
        ) AS digest
    FROM (
        SELECT *
        FROM holdfast.attempts
        WHERE
            position > :after::bigint
            AND position <= :until::bigint
            AND position < (
                SELECT (pg_snapshot_xmin(pg_current_snapshot())::text::bigint + shift) << 13
                FROM holdfast.owner
            )
        ORDER BY position
        LIMIT :limit::bigint
    ) AS e
    GROUP BY 1
) AS s
