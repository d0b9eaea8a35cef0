-- The last id that a walk may look at; NULL: it ends before. See search.sql.
SELECT t.id -- ?deliveries
SELECT t.delivery_id -- ?by_token
FROM search_tokens AS t -- ?by_token
FROM deliveries AS t -- ?deliveries
INDEXED BY deliveries_assignee -- ?by_assignee
INDEXED BY deliveries_group -- ?by_group
INDEXED BY deliveries_dead -- ?by_dead
INDEXED BY deliveries_review -- ?by_review
INDEXED BY deliveries_open -- ?by_status
INDEXED BY deliveries_failure -- ?by_class
INDEXED BY deliveries_recipient -- ?by_recipient
INDEXED BY deliveries_flow -- ?by_flow
WHERE
    t.id < :below AND t.id >= :floor -- ?deliveries
    t.delivery_id < :below AND t.delivery_id >= :floor AND t.token = :driver -- ?by_token
    AND t.assignee = :driver AND t.status = 'dead' -- ?by_assignee
    AND t.fingerprint = :driver AND t.status IN ('pending', 'dead') -- ?by_group
    AND t.status = 'dead' AND t.recipient = :driver -- ?by_dead
    AND t.status = 'dead' -- ?by_review
    AND t.status = :driver AND t.status <> 'delivered' -- ?by_status
    AND t.failure_class = :driver -- ?by_class
    AND t.recipient = :driver -- ?by_recipient
    AND t.flow = :driver -- ?by_flow
ORDER BY t.id DESC -- ?deliveries
ORDER BY t.delivery_id DESC -- ?by_token
LIMIT 1 OFFSET :look - 1
