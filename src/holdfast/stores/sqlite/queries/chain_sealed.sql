-- Audit lines of the chain after a number, in order.
SELECT json_group_array(
    json_array(
        place, number, hex(hash),
        json_array(at, actor, action, subject, reason, detail, account)
    )
    ORDER BY number
)
FROM (
    SELECT * FROM notes
    WHERE number > :after
    ORDER BY number
    LIMIT :limit
)
