-- Deliveries of any kind, newest first.
SELECT '[' || coalesce(group_concat(d.body, ',' ORDER BY found.id DESC), '') || ']'
FROM (
    SELECT place, id
    FROM deliveries
    WHERE
        (:status IS NULL OR status = :status)
        AND (:recipient IS NULL OR recipient = :recipient)
        AND (:flow IS NULL OR flow = :flow)
        AND (:failure_class IS NULL OR failure_class = :failure_class)
        AND (:message_id IS NULL OR message_id = :message_id)
        AND id < :below
        AND id >= :floor
        AND created_at >= :since
    ORDER BY id DESC
    LIMIT :limit
) AS found
JOIN delivery_rows AS d ON d.place = found.place
