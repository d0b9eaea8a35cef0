-- The counters.
SELECT
    json_group_array(
        json_array(recipient, created, pending, delivered, dead, discarded, pruned, high, normal, low)
        ORDER BY recipient
    )
FROM counters
