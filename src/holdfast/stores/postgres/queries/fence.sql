-- The owner's row, locked against a take-over until the transaction has ended; none: it is lost.
SELECT shift FROM holdfast.owner WHERE epoch = :epoch::bigint FOR SHARE
