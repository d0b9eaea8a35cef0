-- Deliveries by class of failure, newest first.
SELECT '[' || coalesce(group_concat(d.body, ',' ORDER BY found.id DESC), '') || ']'
FROM (
    SELECT place, id
    FROM deliveries INDEXED BY deliveries_failure
    WHERE
        failure_class = :failure_class
        AND (:status IS NULL OR status = :status)
        AND (:recipient IS NULL OR recipient = :recipient)
        AND (:flow IS NULL OR flow = :flow)
        AND (:message_id IS NULL OR message_id = :message_id)
        AND id < :below
        AND id >= :floor
        AND created_at >= :since
    ORDER BY id DESC
    LIMIT :limit
) AS found
JOIN delivery_rows AS d ON d.place = found.place
