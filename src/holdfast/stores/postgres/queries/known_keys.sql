-- Messages that have one of these (account, key) pairs: [account, key, id, digest].
SELECT
    coalesce(
        json_agg(json_build_array(m.account, m.key, m.id, encode(m.digest, 'hex'))), '[]'
    )::text
FROM unnest(:accounts::text[], :keys::text[]) AS wanted (account, key)
JOIN holdfast.messages AS m ON m.account = wanted.account AND m.key = wanted.key
