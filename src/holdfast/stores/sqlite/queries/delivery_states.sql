-- What a transition is checked against: [id, place, revision, status, recipient, priority].
SELECT json_group_array(json_array(id, place, revision, status, recipient, priority))
FROM deliveries
WHERE id IN (SELECT value FROM json_each(:ids))
