-- The worker's row, kept on the list until the transaction has ended; none: it was taken off.
SELECT w.epoch, o.shift
FROM holdfast.workers AS w
CROSS JOIN holdfast.owner AS o
WHERE w.epoch = :epoch::bigint
FOR KEY SHARE OF w
