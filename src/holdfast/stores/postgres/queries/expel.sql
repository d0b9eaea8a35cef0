-- Take workers off the list that were not heard of in time. While the server was away nobody could
-- be heard of: that time does not count.
DELETE FROM holdfast.workers
WHERE
    epoch = ANY(:epochs::bigint[])
    AND lease_until <= holdfast.store_now()
    AND pg_postmaster_start_time() <= clock_timestamp() - lease_ms * interval '1 millisecond'
RETURNING epoch
