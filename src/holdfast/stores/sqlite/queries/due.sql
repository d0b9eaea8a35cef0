-- What a lane may send next: [place, band, bytes of the payload] in order, and the next due time.
-- One seek per band; each band is asked for one row more than its quota, which tells whether
-- something was left out.
WITH
excluded AS MATERIALIZED (SELECT value FROM json_each(:exclude)),
picked AS (
    SELECT * FROM (
        SELECT place, 0 AS band, message_id, due_at, id
        FROM deliveries INDEXED BY deliveries_due
        WHERE
            status = 'pending' AND recipient = :recipient AND band = 0 AND due_at <= :now
            AND id NOT IN (SELECT value FROM excluded)
        ORDER BY due_at, id
        LIMIT :quota_0 + 1
    )
    UNION ALL
    SELECT * FROM (
        SELECT place, 1 AS band, message_id, due_at, id
        FROM deliveries INDEXED BY deliveries_due
        WHERE
            status = 'pending' AND recipient = :recipient AND band = 1 AND due_at <= :now
            AND id NOT IN (SELECT value FROM excluded)
        ORDER BY due_at, id
        LIMIT :quota_1 + 1
    )
    UNION ALL
    SELECT * FROM (
        SELECT place, 2 AS band, message_id, due_at, id
        FROM deliveries INDEXED BY deliveries_due
        WHERE
            status = 'pending' AND recipient = :recipient AND band = 2 AND due_at <= :now
            AND id NOT IN (SELECT value FROM excluded)
        ORDER BY due_at, id
        LIMIT :quota_2 + 1
    )
    UNION ALL
    SELECT * FROM (
        SELECT place, 3 AS band, message_id, due_at, id
        FROM deliveries INDEXED BY deliveries_due
        WHERE
            status = 'pending' AND recipient = :recipient AND band = 3 AND due_at <= :now
            AND id NOT IN (SELECT value FROM excluded)
        ORDER BY due_at, id
        LIMIT :quota_3 + 1
    )
    UNION ALL
    SELECT * FROM (
        SELECT place, 4 AS band, message_id, due_at, id
        FROM deliveries INDEXED BY deliveries_due
        WHERE
            status = 'pending' AND recipient = :recipient AND band = 4 AND due_at <= :now
            AND id NOT IN (SELECT value FROM excluded)
        ORDER BY due_at, id
        LIMIT :quota_4 + 1
    )
    UNION ALL
    SELECT * FROM (
        SELECT place, 5 AS band, message_id, due_at, id
        FROM deliveries INDEXED BY deliveries_due
        WHERE
            status = 'pending' AND recipient = :recipient AND band = 5 AND due_at <= :now
            AND id NOT IN (SELECT value FROM excluded)
        ORDER BY due_at, id
        LIMIT :quota_5 + 1
    )
)
SELECT
    json_group_array(
        json_array(picked.place, picked.band, coalesce((
            SELECT length(payloads.sealed) FROM payloads WHERE payloads.place = m.place
        ), 0))
        ORDER BY picked.band, picked.due_at, picked.id
    ),
    min(
        coalesce((
            SELECT min(due_at) FROM deliveries INDEXED BY deliveries_due
            WHERE
                status = 'pending' AND recipient = :recipient AND band = 0 AND due_at > :now
        ), :never),
        coalesce((
            SELECT min(due_at) FROM deliveries INDEXED BY deliveries_due
            WHERE
                status = 'pending' AND recipient = :recipient AND band = 1 AND due_at > :now
        ), :never),
        coalesce((
            SELECT min(due_at) FROM deliveries INDEXED BY deliveries_due
            WHERE
                status = 'pending' AND recipient = :recipient AND band = 2 AND due_at > :now
        ), :never),
        coalesce((
            SELECT min(due_at) FROM deliveries INDEXED BY deliveries_due
            WHERE
                status = 'pending' AND recipient = :recipient AND band = 3 AND due_at > :now
        ), :never),
        coalesce((
            SELECT min(due_at) FROM deliveries INDEXED BY deliveries_due
            WHERE
                status = 'pending' AND recipient = :recipient AND band = 4 AND due_at > :now
        ), :never),
        coalesce((
            SELECT min(due_at) FROM deliveries INDEXED BY deliveries_due
            WHERE
                status = 'pending' AND recipient = :recipient AND band = 5 AND due_at > :now
        ), :never)
    )
FROM picked
JOIN messages AS m ON m.id = picked.message_id
