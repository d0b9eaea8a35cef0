-- Deliveries by predicate, newest first, or their number, or their tally by group. Lines that end with `-- ?name` are there
-- when asked for. The plus signs keep the planner from any index but that of the walk.
SELECT '[' || coalesce(group_concat(d.body, ',' ORDER BY found.id DESC), '') || ']' -- ?page
SELECT count(*) -- ?count
WITH seen AS MATERIALIZED ( -- ?grouped
    SELECT r.id, r.body, iif(s.failures < :look, '', ( -- ?grouped
        SELECT f.id FROM deliveries AS f INDEXED BY deliveries_group -- ?grouped
        WHERE f.fingerprint = r.id AND f.status IN ('pending', 'dead') -- ?grouped
        ORDER BY f.id DESC LIMIT 1 OFFSET :look - 1 -- ?grouped
    )) AS floor -- ?grouped
    FROM failure_groups AS s JOIN group_rows AS r ON r.id = s.id -- ?grouped
    WHERE 1 -- ?grouped
        AND s.id IN (SELECT value FROM json_each(:among)) -- ?among
        AND s.recipient IN (SELECT value FROM json_each(:among_recipient)) -- ?among_recipient
        AND s.flow IN (SELECT value FROM json_each(:among_flow)) -- ?among_flow
        AND s.step IN (SELECT value FROM json_each(:among_step)) -- ?among_step
        AND s.account IN (SELECT value FROM json_each(:among_account)) -- ?among_account
        AND s.account = :among_scope -- ?among_scope
    ORDER BY s.last_at DESC, s.id LIMIT :groups_max -- ?grouped
) -- ?grouped
SELECT '[' || coalesce(group_concat('[' || g.body || ',' || (SELECT json_array( -- ?grouped
    coalesce(sum(found.status = 'dead'), 0), coalesce(sum(found.status = 'pending'), 0), -- ?grouped
    total(iif(found.status = 'dead', found.value, 0)), -- ?grouped
    total(iif(found.status = 'pending', found.value, 0)), max(found.id), EXISTS ( -- ?grouped
        SELECT 1 FROM deliveries AS f INDEXED BY deliveries_group -- ?grouped
        WHERE f.fingerprint = g.id AND f.status IN ('pending', 'dead') -- ?grouped
        AND f.id < g.floor -- ?grouped
    ) -- ?grouped
) -- ?grouped
FROM (
    SELECT t.place, t.id
        , t.status, t.value -- ?grouped
    FROM deliveries AS t
    INDEXED BY deliveries_message -- ?by_message
    INDEXED BY deliveries_parent -- ?by_parent
    INDEXED BY deliveries_assignee -- ?by_assignee
    INDEXED BY deliveries_group -- ?by_group
    INDEXED BY deliveries_group -- ?by_groups
    INDEXED BY deliveries_dead -- ?by_dead
    INDEXED BY deliveries_review -- ?by_review
    INDEXED BY deliveries_open -- ?by_status
    INDEXED BY deliveries_failure -- ?by_class
    INDEXED BY deliveries_recipient -- ?by_recipient
    INDEXED BY deliveries_flow -- ?by_flow
    WHERE
        t.id < :below AND t.id >= :floor -- ?page
        t.id < :below AND t.id >= :floor -- ?count
        t.id >= coalesce(g.floor, '') -- ?grouped
        AND t.id IN (SELECT value FROM json_each(:driver)) -- ?by_id
        AND t.message_id IN (SELECT value FROM json_each(:driver)) -- ?by_message
        AND t.parent = :driver -- ?by_parent
        AND t.assignee = :driver AND t.status = 'dead' -- ?by_assignee
        AND t.fingerprint = :driver AND t.status IN ('pending', 'dead') -- ?by_group
        AND t.fingerprint = g.id AND t.status IN ('pending', 'dead') -- ?by_groups
        AND t.id IN ( -- ?by_token
            SELECT k.delivery_id FROM search_tokens AS k -- ?by_token
            WHERE k.token = :driver AND k.delivery_id < :below AND k.delivery_id >= :floor -- ?by_token
        ) -- ?by_token
        AND t.status = 'dead' AND t.recipient = :driver -- ?by_dead
        AND t.status = 'dead' -- ?by_review
        AND t.status = :driver AND t.status <> 'delivered' -- ?by_status
        AND t.failure_class = :driver -- ?by_class
        AND t.recipient = :driver -- ?by_recipient
        AND t.flow = :driver -- ?by_flow
        AND +t.account = :scope -- ?scope
        AND +t.id IN (SELECT value FROM json_each(:id)) -- ?id
        AND +t.id NOT IN (SELECT value FROM json_each(:not_id)) -- ?not_id
        AND +t.message_id IN (SELECT value FROM json_each(:message)) -- ?message
        AND +t.message_id NOT IN (SELECT value FROM json_each(:not_message)) -- ?not_message
        AND +t.account IN (SELECT value FROM json_each(:account)) -- ?account
        AND +t.account NOT IN (SELECT value FROM json_each(:not_account)) -- ?not_account
        AND +t.status IN (SELECT value FROM json_each(:status)) -- ?status
        AND +t.status NOT IN (SELECT value FROM json_each(:not_status)) -- ?not_status
        AND +t.recipient IN (SELECT value FROM json_each(:recipient)) -- ?recipient
        AND +t.recipient NOT IN (SELECT value FROM json_each(:not_recipient)) -- ?not_recipient
        AND +t.flow IN (SELECT value FROM json_each(:flow)) -- ?flow
        AND +t.flow NOT IN (SELECT value FROM json_each(:not_flow)) -- ?not_flow
        AND +t.step IN (SELECT value FROM json_each(:step)) -- ?step
        AND +t.step NOT IN (SELECT value FROM json_each(:not_step)) -- ?not_step
        AND coalesce(+t.failure_class, '') IN (SELECT value FROM json_each(:class)) -- ?class
        AND coalesce(+t.failure_class, '') NOT IN (SELECT value FROM json_each(:not_class)) -- ?not_class
        AND coalesce(t.code, '') IN (SELECT value FROM json_each(:code)) -- ?code
        AND coalesce(t.code, '') NOT IN (SELECT value FROM json_each(:not_code)) -- ?not_code
        AND coalesce(t.hold_gate, '') IN (SELECT value FROM json_each(:gate)) -- ?gate
        AND coalesce(t.hold_gate, '') NOT IN (SELECT value FROM json_each(:not_gate)) -- ?not_gate
        AND coalesce(+t.fingerprint, '') IN (SELECT value FROM json_each(:group)) -- ?group
        AND coalesce(+t.fingerprint, '') NOT IN (SELECT value FROM json_each(:not_group)) -- ?not_group
        AND coalesce(+t.assignee, '') IN (SELECT value FROM json_each(:assignee)) -- ?assignee
        AND coalesce(+t.assignee, '') NOT IN (SELECT value FROM json_each(:not_assignee)) -- ?not_assignee
        AND coalesce(+t.parent, '') IN (SELECT value FROM json_each(:parent)) -- ?parent
        AND coalesce(+t.parent, '') NOT IN (SELECT value FROM json_each(:not_parent)) -- ?not_parent
        AND t.created_at BETWEEN :created_low AND :created_high -- ?created
        AND NOT t.created_at BETWEEN :not_created_low AND :not_created_high -- ?not_created
        AND t.http_status BETWEEN :http_low AND :http_high -- ?http
        AND coalesce(t.http_status, -1) NOT BETWEEN :not_http_low AND :not_http_high -- ?not_http
        AND t.attempts BETWEEN :attempts_low AND :attempts_high -- ?attempts
        AND NOT t.attempts BETWEEN :not_attempts_low AND :not_attempts_high -- ?not_attempts
        AND t.priority BETWEEN :priority_low AND :priority_high -- ?priority
        AND NOT t.priority BETWEEN :not_priority_low AND :not_priority_high -- ?not_priority
        AND t.value BETWEEN :value_low AND :value_high -- ?value
        AND NOT t.value BETWEEN :not_value_low AND :not_value_high -- ?not_value
        AND NOT EXISTS ( -- ?texts
            SELECT 1 FROM json_each(:texts) AS text -- ?texts
            WHERE instr(lower(coalesce(t.reason, '')), text.value) = 0 -- ?texts
        ) -- ?texts
        AND ( -- ?tokens
            SELECT count(DISTINCT wanted.value ->> 0) -- ?tokens
            FROM json_each(:tokens) AS wanted -- ?tokens
            JOIN search_tokens AS k ON k.token = unhex(wanted.value ->> 1) -- ?tokens
            WHERE k.delivery_id = t.id -- ?tokens
        ) = :groups -- ?tokens
    ORDER BY t.id DESC -- ?page
    LIMIT :limit -- ?page
) AS found
) || ']'), '') || ']' FROM seen AS g -- ?grouped
JOIN delivery_rows AS d ON d.place = found.place -- ?page
