-- What a lane may send next: deliveries, their messages, whether nothing was left out, next due.
-- One seek per band; each band is asked for one row more than its quota, which tells whether
-- something was left out.
WITH
picked AS (
    SELECT
        d.id, d.message_id, d.due_at, bands.band, bands.quota,
        row_number() OVER (PARTITION BY bands.band ORDER BY d.due_at, d.id) AS rank
    FROM unnest(:quotas::bigint[]) WITH ORDINALITY AS bands (quota, band)
    CROSS JOIN LATERAL (
        SELECT id, message_id, due_at
        FROM holdfast.deliveries
        WHERE
            status = 'pending' AND recipient = :recipient::text
            AND band = (bands.band - 1)::smallint AND due_at <= :now::bigint
            AND id NOT IN (SELECT unnest(:exclude::text[]))
        ORDER BY due_at, id
        LIMIT bands.quota + 1
    ) AS d
),
sized AS (
    SELECT
        picked.*,
        row_number() OVER in_order AS place,
        sum(coalesce(octet_length(m.sealed), 0)) OVER in_order AS bytes
    FROM picked
    JOIN holdfast.messages AS m ON m.id = picked.message_id
    WHERE picked.rank <= picked.quota
    WINDOW in_order AS (ORDER BY picked.band, picked.due_at, picked.id)
),
chosen AS (SELECT * FROM sized WHERE place = 1 OR bytes <= :max_bytes::bigint)
SELECT
    coalesce(json_agg(d.body ORDER BY chosen.place), '[]')::text,
    coalesce(json_agg(m.body ORDER BY chosen.place), '[]')::text,
    (SELECT count(*) FROM picked) = count(*),
    (
        SELECT min(later.due_at)
        FROM generate_series(0, 5) AS bands (band)
        CROSS JOIN LATERAL (
            SELECT due_at
            FROM holdfast.deliveries
            WHERE
                status = 'pending' AND recipient = :recipient::text
                AND band = bands.band::smallint AND due_at > :now::bigint
            ORDER BY due_at
            LIMIT 1
        ) AS later
    )
FROM chosen
JOIN holdfast.delivery_bodies AS d ON d.id = chosen.id
JOIN holdfast.message_rows AS m ON m.id = chosen.message_id
