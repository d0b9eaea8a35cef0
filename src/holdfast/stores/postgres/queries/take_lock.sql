-- Take the owner's lock for as long as this transaction is open; false: somebody has it.
SELECT pg_try_advisory_xact_lock(:lock::bigint)
