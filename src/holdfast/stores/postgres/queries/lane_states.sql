-- Every saved lane, with the instant of its last unclean end.
SELECT coalesce(json_agg(json_build_array(body, stamp) ORDER BY recipient), '[]')::text
FROM holdfast.lanes
WHERE
    true
    AND recipient = ANY(:among::text[]) -- ?among
