-- These deliveries.
SELECT '[' || coalesce(group_concat(d.body, ','), '') || ']'
FROM deliveries
JOIN delivery_rows AS d ON d.place = deliveries.place
WHERE deliveries.id IN (SELECT value FROM json_each(:ids))
