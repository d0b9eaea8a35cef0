-- Deliveries and their messages, both in the order of the places (CROSS JOIN keeps the loops in
-- the written order; sorting the bodies would cost as much as making them).
SELECT
    '[' || (
        SELECT group_concat(d.body, ',')
        FROM json_each(:places) AS p
        CROSS JOIN delivery_rows AS d ON d.place = p.value
    ) || ']',
    '[' || (
        SELECT group_concat(m.body, ',')
        FROM json_each(:places) AS p
        CROSS JOIN deliveries ON deliveries.place = p.value
        CROSS JOIN message_rows AS m ON m.id = deliveries.message_id
    ) || ']'
