-- Give deliveries another priority.
UPDATE deliveries
SET priority = new.value ->> 1
FROM json_each(:ranks) AS new
WHERE deliveries.place = new.value ->> 0
