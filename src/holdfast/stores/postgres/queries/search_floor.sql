-- The last id that a walk may look at; no row: it ends before. See search.sql.
SELECT d.id -- ?deliveries
SELECT d.delivery_id -- ?by_token
FROM holdfast.deliveries AS d -- ?deliveries
FROM holdfast.search_tokens AS d -- ?by_token
WHERE
    d.id < :below::text AND d.id >= :floor::text -- ?deliveries
    d.delivery_id < :below::text AND d.delivery_id >= :floor::text -- ?by_token
    AND d.token = :driver::bytea -- ?by_token
    AND d.assignee = :driver::text AND d.status = 'dead' -- ?by_assignee
    AND d.fingerprint = :driver::text AND d.status IN ('pending', 'dead') -- ?by_group
    AND d.status = 'dead' AND d.recipient = :driver::text -- ?by_dead
    AND d.status = 'dead' -- ?by_review
    AND d.status = :driver::text AND d.status <> 'delivered' -- ?by_status
    AND d.failure_class = :driver::text -- ?by_class
    AND d.recipient = :driver::text -- ?by_recipient
    AND d.flow = :driver::text -- ?by_flow
ORDER BY d.id DESC -- ?deliveries
ORDER BY d.delivery_id DESC -- ?by_token
OFFSET :look::bigint - 1
LIMIT 1
