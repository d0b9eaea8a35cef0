-- Every saved lane.
SELECT coalesce(json_agg(body ORDER BY recipient), '[]')::text FROM holdfast.lanes
