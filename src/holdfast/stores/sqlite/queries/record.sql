-- One record of who may do what.
SELECT json_array(kind, key, revision, json(body), until)
FROM access_records
WHERE kind = :kind AND key = :key
