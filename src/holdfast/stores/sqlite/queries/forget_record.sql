-- Forget a record.
DELETE FROM access_records WHERE kind = :kind AND key = :key
