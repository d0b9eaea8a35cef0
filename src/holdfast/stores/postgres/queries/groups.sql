-- Groups by id, those of which nobody was told that they came back, or those that were judged.
SELECT coalesce(json_agg(body), '[]')::text
FROM holdfast.group_rows
WHERE
    true
    AND id = ANY(:ids::text[]) -- ?ids
    AND NOT told -- ?untold
    AND nature IS NOT NULL -- ?judged
