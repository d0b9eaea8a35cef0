-- Forget a record.
DELETE FROM holdfast.access_records WHERE kind = :kind::text AND key = :key::text
