-- Deliveries by predicate, newest first, or their number, or their tally by group. Lines that end with `-- ?name` are there
-- when asked for. The inner query is the walk: its limit keeps the planner from any other.
SELECT coalesce(json_agg(d.body ORDER BY found.id DESC), '[]')::text -- ?page
SELECT count(*) -- ?count
SELECT coalesce(json_agg(json_build_array(g.body, json_build_array( -- ?grouped
    g.dead, g.pending, g.dead_value, g.pending_value, g.newest, g.more -- ?grouped
))), '[]')::text -- ?grouped
FROM (SELECT g.body, tally.*, g.failures > :look::bigint -- ?grouped
AND tally.dead + tally.pending >= :look::bigint -- ?every
AND EXISTS ( -- ?grouped
    SELECT 1 FROM holdfast.deliveries AS f -- ?grouped
    WHERE f.fingerprint = g.id AND f.status IN ('pending', 'dead') -- ?grouped
    ORDER BY f.id DESC OFFSET :look::bigint LIMIT 1 -- ?grouped
) AS more -- ?grouped
FROM ( -- ?grouped
    SELECT r.id, r.body, s.failures -- ?grouped
    FROM holdfast.failure_groups AS s JOIN holdfast.group_rows AS r ON r.id = s.id -- ?grouped
    WHERE true -- ?grouped
        AND s.id = ANY(:among::text[]) -- ?among
        AND s.recipient = ANY(:among_recipient::text[]) -- ?among_recipient
        AND s.flow = ANY(:among_flow::text[]) -- ?among_flow
        AND s.step = ANY(:among_step::text[]) -- ?among_step
        AND s.account = ANY(:among_account::text[]) -- ?among_account
        AND s.account = :among_scope::text -- ?among_scope
    ORDER BY s.last_at DESC, s.id LIMIT :groups_max::bigint -- ?grouped
) AS g, LATERAL ( -- ?grouped
SELECT -- ?grouped
    count(*) FILTER (WHERE found.status = 'dead') AS dead, -- ?grouped
    count(*) FILTER (WHERE found.status = 'pending') AS pending, -- ?grouped
    coalesce(sum(found.value) FILTER (WHERE found.status = 'dead'), 0) AS dead_value, -- ?grouped
    coalesce(sum(found.value) FILTER (WHERE found.status = 'pending'), 0) AS pending_value, -- ?grouped
    max(found.id) AS newest -- ?grouped
FROM (
    SELECT t.id
        , t.status, t.value -- ?grouped
    FROM (
        SELECT d.*
        FROM holdfast.deliveries AS d -- ?deliveries
        FROM holdfast.search_tokens AS k -- ?by_token
        JOIN holdfast.deliveries AS d ON d.id = k.delivery_id -- ?by_token
        WHERE
            d.id < :below::text AND d.id >= :floor::text
            AND d.id = ANY(:driver::text[]) -- ?by_id
            AND d.message_id = ANY(:driver::text[]) -- ?by_message
            AND d.parent = :driver::text -- ?by_parent
            AND d.assignee = :driver::text AND d.status = 'dead' -- ?by_assignee
            AND d.fingerprint = :driver::text AND d.status IN ('pending', 'dead') -- ?by_group
            AND d.fingerprint = g.id AND d.status IN ('pending', 'dead') -- ?by_groups
            AND k.token = :driver::bytea -- ?by_token
            AND k.delivery_id < :below::text AND k.delivery_id >= :floor::text -- ?by_token
            AND d.status = 'dead' AND d.recipient = :driver::text -- ?by_dead
            AND d.status = 'dead' -- ?by_review
            AND d.status = :driver::text AND d.status <> 'delivered' -- ?by_status
            AND d.failure_class = :driver::text -- ?by_class
            AND d.recipient = :driver::text -- ?by_recipient
            AND d.flow = :driver::text -- ?by_flow
        ORDER BY k.delivery_id DESC -- ?by_token
        ORDER BY d.id DESC -- ?deliveries
        LIMIT :look::bigint
    ) AS t
    WHERE
        true
        AND t.account = :scope::text -- ?scope
        AND t.id = ANY(:id::text[]) -- ?id
        AND t.id <> ALL(:not_id::text[]) -- ?not_id
        AND t.message_id = ANY(:message::text[]) -- ?message
        AND t.message_id <> ALL(:not_message::text[]) -- ?not_message
        AND t.account = ANY(:account::text[]) -- ?account
        AND t.account <> ALL(:not_account::text[]) -- ?not_account
        AND t.status = ANY(:status::text[]) -- ?status
        AND t.status <> ALL(:not_status::text[]) -- ?not_status
        AND t.recipient = ANY(:recipient::text[]) -- ?recipient
        AND t.recipient <> ALL(:not_recipient::text[]) -- ?not_recipient
        AND t.flow = ANY(:flow::text[]) -- ?flow
        AND t.flow <> ALL(:not_flow::text[]) -- ?not_flow
        AND t.step = ANY(:step::text[]) -- ?step
        AND t.step <> ALL(:not_step::text[]) -- ?not_step
        AND coalesce(t.failure_class, '') = ANY(:class::text[]) -- ?class
        AND coalesce(t.failure_class, '') <> ALL(:not_class::text[]) -- ?not_class
        AND coalesce(t.code, '') = ANY(:code::text[]) -- ?code
        AND coalesce(t.code, '') <> ALL(:not_code::text[]) -- ?not_code
        AND coalesce(t.hold_gate, '') = ANY(:gate::text[]) -- ?gate
        AND coalesce(t.hold_gate, '') <> ALL(:not_gate::text[]) -- ?not_gate
        AND coalesce(t.fingerprint, '') = ANY(:group::text[]) -- ?group
        AND coalesce(t.fingerprint, '') <> ALL(:not_group::text[]) -- ?not_group
        AND coalesce(t.assignee, '') = ANY(:assignee::text[]) -- ?assignee
        AND coalesce(t.assignee, '') <> ALL(:not_assignee::text[]) -- ?not_assignee
        AND coalesce(t.parent, '') = ANY(:parent::text[]) -- ?parent
        AND coalesce(t.parent, '') <> ALL(:not_parent::text[]) -- ?not_parent
        AND t.created_at BETWEEN :created_low::bigint AND :created_high::bigint -- ?created
        AND NOT t.created_at BETWEEN :not_created_low::bigint AND :not_created_high::bigint -- ?not_created
        AND t.http_status BETWEEN :http_low::bigint AND :http_high::bigint -- ?http
        AND coalesce(t.http_status, -1) NOT BETWEEN :not_http_low::bigint AND :not_http_high::bigint -- ?not_http
        AND t.attempts BETWEEN :attempts_low::bigint AND :attempts_high::bigint -- ?attempts
        AND NOT t.attempts BETWEEN :not_attempts_low::bigint AND :not_attempts_high::bigint -- ?not_attempts
        AND t.priority BETWEEN :priority_low::bigint AND :priority_high::bigint -- ?priority
        AND NOT t.priority BETWEEN :not_priority_low::bigint AND :not_priority_high::bigint -- ?not_priority
        AND t.value BETWEEN :value_low::double precision AND :value_high::double precision -- ?value
        AND NOT t.value BETWEEN :not_value_low::double precision AND :not_value_high::double precision -- ?not_value
        AND NOT EXISTS ( -- ?texts
            SELECT 1 FROM unnest(:texts::text[]) AS wanted (text) -- ?texts
            WHERE strpos(lower(coalesce(t.reason, '')), wanted.text) = 0 -- ?texts
        ) -- ?texts
        AND ( -- ?tokens
            SELECT count(DISTINCT wanted.place) -- ?tokens
            FROM unnest(:places::integer[], :tokens::bytea[]) AS wanted (place, token) -- ?tokens
            JOIN holdfast.search_tokens AS k -- ?tokens
                ON k.token = wanted.token AND k.delivery_id = t.id -- ?tokens
        ) = :groups::bigint -- ?tokens
    ORDER BY t.id DESC -- ?page
    LIMIT :limit::bigint -- ?page
) AS found
) AS tally -- ?grouped
) AS g -- ?grouped
JOIN holdfast.delivery_bodies AS d ON d.id = found.id -- ?page
