-- Messages that have one of these [account, key] pairs: [account, key, id, digest].
SELECT json_group_array(json_array(m.account, m.key, m.id, hex(m.digest)))
FROM json_each(:pairs) AS wanted
JOIN messages AS m ON m.account = wanted.value ->> 0 AND m.key = wanted.value ->> 1
