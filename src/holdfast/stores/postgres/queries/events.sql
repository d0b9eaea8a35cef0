-- Retry events with their snapshots. A line that ends with `-- ?name` is there when that filter
-- is given. Below the oldest open transaction nothing can appear any more, so that no reader who
-- goes on from a position misses anything; one delivery has one writer and needs no such care.
SELECT
    coalesce(
        json_agg(
            json_build_array(
                a.position, a.body,
                (SELECT s.body FROM holdfast.snapshots AS s WHERE s.id = a.body ->> 'configuration'),
                (SELECT s.body FROM holdfast.snapshots AS s WHERE s.id = a.body ->> 'context'),
                encode(a.excerpt, 'hex')
            )
            ORDER BY a.position ASC -- ?forward
            ORDER BY a.position DESC -- ?backward
        ),
        '[]'
    )::text
FROM ( -- U+0000 as versions before wrote it: no query can read it, the sums are of it.
    SELECT
        raw.position, raw.excerpt,
        CASE
            WHEN raw.body::text NOT LIKE '%\\u0000%' THEN raw.body
            ELSE
                regexp_replace(raw.body::text, '((?<!\\)(?:\\\\)*)\\u0000', '\1\\ufffd', 'g')::json
        END AS body
    FROM (
        SELECT position, body, excerpt
        FROM holdfast.attempts
        WHERE
            position > :after::bigint
            AND position < :before::bigint
            AND position < ( -- ?settled
                SELECT -- ?settled
                    (pg_snapshot_xmin(pg_current_snapshot())::text::bigint + shift) << 13 -- ?settled
                FROM holdfast.owner -- ?settled
            ) -- ?settled
            AND retry_timestamp >= :start::bigint -- ?start
            AND retry_timestamp < :end::bigint -- ?end
            AND delivery_id = :delivery_id::text -- ?delivery_id
            AND recipient = :recipient::text -- ?recipient
            AND recipient = any(:among::text[]) -- ?among
        ORDER BY position ASC -- ?forward
        ORDER BY position DESC -- ?backward
        LIMIT :limit::bigint
    ) AS raw
) AS a
