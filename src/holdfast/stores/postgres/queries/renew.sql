-- Extend a lease; the answer is store time, none: the worker is not on the list.
UPDATE holdfast.workers
SET
    slots = :slots::integer, in_flight = :in_flight::integer, leaving = :leaving::boolean,
    open_slots = :open_slots::integer,
    lease_until = holdfast.store_now() + lease_ms
WHERE epoch = :epoch::bigint
RETURNING holdfast.store_now()
