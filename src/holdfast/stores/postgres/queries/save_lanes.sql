-- Keep the state of lanes that are ours, and give some of them away.
UPDATE holdfast.lanes AS l
SET
    body = new.body::json, owner = CASE WHEN new.released THEN NULL ELSE l.owner END,
    clean = l.clean OR new.released, offered = new.offered
FROM
    fence,
    unnest(:recipient::text[], :body::text[], :released::boolean[], :offered::boolean[]) AS new (
        recipient, body, released, offered
    )
WHERE l.recipient = new.recipient AND l.owner = fence.epoch
