-- Add differences; the table checks that the sum still holds.
UPDATE holdfast.counters AS c
SET
    created = c.created + new.created, pending = c.pending + new.pending,
    delivered = c.delivered + new.delivered, dead = c.dead + new.dead,
    discarded = c.discarded + new.discarded, pruned = c.pruned + new.pruned,
    high = c.high + new.high, normal = c.normal + new.normal, low = c.low + new.low
FROM
    unnest(
        :recipient::text[], :created::bigint[], :pending::bigint[], :delivered::bigint[],
        :dead::bigint[], :discarded::bigint[], :pruned::bigint[], :high::bigint[],
        :normal::bigint[], :low::bigint[]
    ) AS new (
        recipient, created, pending, delivered, dead, discarded, pruned, high, normal, low
    )
WHERE c.recipient = new.recipient
RETURNING 1
