-- Take what was asked of lanes that are ours.
DELETE FROM holdfast.lane_orders AS o
USING
    holdfast.lanes AS l,
    (SELECT epoch FROM holdfast.workers WHERE epoch = :epoch::bigint FOR KEY SHARE) AS me
WHERE
    o.recipient = ANY(:recipients::text[])
    AND l.recipient = o.recipient
    AND l.owner = me.epoch
RETURNING o.body::text
