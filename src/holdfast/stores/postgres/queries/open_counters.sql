-- Count for recipients that may be new; nothing is subtracted here.
INSERT INTO holdfast.counters AS c (
    recipient, created, pending, delivered, dead, discarded, pruned, high, normal, low
)
SELECT *
FROM unnest(
    :recipient::text[], :created::bigint[], :pending::bigint[], :delivered::bigint[],
    :dead::bigint[], :discarded::bigint[], :pruned::bigint[], :high::bigint[], :normal::bigint[],
    :low::bigint[]
)
ON CONFLICT (recipient) DO UPDATE SET
    created = c.created + excluded.created, pending = c.pending + excluded.pending,
    delivered = c.delivered + excluded.delivered, dead = c.dead + excluded.dead,
    discarded = c.discarded + excluded.discarded, pruned = c.pruned + excluded.pruned,
    high = c.high + excluded.high, normal = c.normal + excluded.normal, low = c.low + excluded.low
RETURNING 1
