-- Revision of a record.
SELECT revision FROM access_records WHERE kind = :kind AND key = :key
