-- Whether a worker is on the list.
SELECT epoch FROM holdfast.workers WHERE epoch = :epoch::bigint
