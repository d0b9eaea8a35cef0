-- Make the partitions of these days.
SELECT holdfast.open_day(days.day) FROM unnest(:days::bigint[]) AS days (day)
