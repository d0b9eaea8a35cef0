-- One delivery.
SELECT d.body
FROM deliveries
JOIN delivery_rows AS d ON d.place = deliveries.place
WHERE deliveries.id = :id
