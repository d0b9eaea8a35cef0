-- Take lanes that are free, or ours already. The row is looked at as it is when it is ours to
-- change; of two workers who ask for one lane the second finds it taken.
INSERT INTO holdfast.lanes AS l (recipient, body, owner)
SELECT asked.recipient, asked.body::json, me.epoch
FROM
    (SELECT epoch FROM holdfast.workers WHERE epoch = :epoch::bigint FOR KEY SHARE) AS me,
    unnest(:recipient::text[], :body::text[]) AS asked (recipient, body)
ON CONFLICT (recipient) DO UPDATE SET owner = excluded.owner, offered = false
WHERE l.owner IS NULL OR l.owner = excluded.owner
RETURNING l.body::text, l.clean, l.stamp
