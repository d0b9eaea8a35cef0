-- Records of a kind, by key.
SELECT
    coalesce(
        json_agg(json_build_array(kind, key, revision, body, until) ORDER BY key), '[]'
    )::text
FROM (
    SELECT *
    FROM holdfast.access_records
    WHERE kind = :kind::text AND key > :after::text
    ORDER BY key
    LIMIT :limit::bigint
) AS found
