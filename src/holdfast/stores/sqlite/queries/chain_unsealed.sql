-- Audit lines without a place in the chain, in order.
SELECT json_group_array(
    json_array(
        place, number, hex(hash),
        json_array(at, actor, action, subject, reason, detail, account)
    )
    ORDER BY place
)
FROM (
    SELECT * FROM notes
    WHERE number IS NULL
    ORDER BY place
    LIMIT :limit
)
