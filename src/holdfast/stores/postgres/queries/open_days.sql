-- Make the partitions of these days; counted, as a driver that wants one row would stop at the first.
SELECT count(*)
FROM unnest(:days::bigint[]) AS days (day)
CROSS JOIN LATERAL holdfast.open_day(days.day)
