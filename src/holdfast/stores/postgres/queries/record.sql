-- One record of who may do what.
SELECT json_build_array(kind, key, revision, body, until)::text
FROM holdfast.access_records
WHERE kind = :kind::text AND key = :key::text
