-- Take lanes from workers that are off the list: what they sent may not be settled.
UPDATE holdfast.lanes
SET owner = NULL, clean = false, offered = false, stamp = holdfast.store_now()
WHERE owner = ANY(:epochs::bigint[])
