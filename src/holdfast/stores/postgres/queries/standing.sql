-- Where a store stands: its epoch, and the transaction of its newest event.
SELECT
    epoch,
    (SELECT coalesce(max(position), 0) >> 13 FROM holdfast.attempts) AS newest
FROM holdfast.owner
