-- Deliveries of a flow, newest first.
SELECT '[' || coalesce(group_concat(d.body, ',' ORDER BY found.id DESC), '') || ']'
FROM (
    SELECT place, id
    FROM deliveries INDEXED BY deliveries_flow
    WHERE
        flow = :flow
        AND (:status IS NULL OR status = :status)
        AND (:recipient IS NULL OR recipient = :recipient)
        AND (:failure_class IS NULL OR failure_class = :failure_class)
        AND (:message_id IS NULL OR message_id = :message_id)
        AND id < :below
        AND id >= :floor
        AND created_at >= :since
    ORDER BY id DESC
    LIMIT :limit
) AS found
JOIN delivery_rows AS d ON d.place = found.place
