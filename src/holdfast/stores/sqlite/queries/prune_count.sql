-- What of these messages may still go: their places, and [recipient, status, number].
WITH gone AS MATERIALIZED (
    SELECT m.place, m.id
    FROM messages AS m
    WHERE
        m.place IN (SELECT value FROM json_each(:places))
        AND NOT EXISTS (
            SELECT 1 FROM deliveries AS d
            WHERE d.message_id = m.id AND (d.status = 'pending' OR d.ended_at >= :before)
        )
)
SELECT
    (SELECT json_group_array(place) FROM gone),
    (
        SELECT json_group_array(json_array(recipient, status, number))
        FROM (
            SELECT d.recipient, d.status, count(*) AS number
            FROM gone JOIN deliveries AS d ON d.message_id = gone.id
            GROUP BY d.recipient, d.status
        )
    )
