-- Say goodbye.
DELETE FROM holdfast.workers WHERE epoch = :epoch::bigint RETURNING 1
