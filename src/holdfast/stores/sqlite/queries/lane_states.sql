-- Every saved lane.
SELECT '[' || coalesce(group_concat(body, ',' ORDER BY recipient), '') || ']' FROM lanes
