-- Records of a kind, by key.
SELECT json_group_array(json_array(kind, key, revision, json(body), until) ORDER BY key)
FROM (
    SELECT * FROM access_records
    WHERE kind = :kind AND key > :after
    ORDER BY key
    LIMIT :limit
)
