-- Add differences; the table checks that the sum still holds.
UPDATE counters
SET
    created = created + new.column2, pending = pending + new.column3,
    delivered = delivered + new.column4, dead = dead + new.column5,
    discarded = discarded + new.column6, pruned = pruned + new.column7,
    high = high + new.column8, normal = normal + new.column9, low = low + new.column10
FROM (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)) AS new
WHERE counters.recipient = new.column1
