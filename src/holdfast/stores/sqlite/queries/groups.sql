-- Groups by id, those of which nobody was told that they came back, or those that were judged.
SELECT json_group_array(json(body))
FROM group_rows
WHERE
    1
    AND id IN (SELECT value FROM json_each(:ids)) -- ?ids
    AND told = 0 -- ?untold
    AND nature IS NOT NULL -- ?judged
