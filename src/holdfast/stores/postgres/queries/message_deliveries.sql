-- Deliveries of the messages with these ids or keys in the flow's order:
-- message id -> [[id, step, recipient]].
SELECT coalesce(json_object_agg(found.message_id, found.answer), '{}')::text
FROM (
    SELECT
        d.message_id,
        json_agg(json_build_array(d.id, d.step, d.recipient) ORDER BY d.ordinal) AS answer
    FROM holdfast.deliveries AS d
    WHERE
        d.message_id IN (
            SELECT m.id FROM holdfast.messages AS m WHERE m.id = ANY(:ids::text[])
            UNION ALL
            SELECT m.id
            FROM unnest(:accounts::text[], :keys::text[]) AS wanted (account, key)
            JOIN holdfast.messages AS m ON m.account = wanted.account AND m.key = wanted.key
        )
    GROUP BY d.message_id
) AS found
