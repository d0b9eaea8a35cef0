-- Which worker owns which lane.
SELECT coalesce(json_object_agg(recipient, owner), '{}')::text
FROM holdfast.lanes
WHERE owner IS NOT NULL
