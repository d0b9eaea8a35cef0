-- Drop the partition of a day and return how many events it had.
SELECT holdfast.drop_day(:day::bigint)
