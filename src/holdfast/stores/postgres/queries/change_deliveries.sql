-- Change deliveries whose revision is still the one that was looked at.
UPDATE holdfast.deliveries AS d
SET
    due_at = new.due_at, revision = new.revision, generation = new.generation,
    attempt = new.attempt, counted = new.counted, attempts = new.attempts,
    active_ms = new.active_ms, last_delay_ms = new.last_delay_ms,
    first_attempt_at = new.first_attempt_at, in_doubt = new.in_doubt, crashes = new.crashes,
    hold_gate = new.hold_gate, code = new.code, failure_class = new.failure_class,
    http_status = new.http_status, reason = new.reason, original_event_id = new.original_event_id,
    endpoint = new.endpoint, policy = new.policy, fingerprint = new.fingerprint,
    assignee = new.assignee, cause = new.cause, updated_at = new.updated_at, status = new.status,
    ended_at = new.ended_at, expires_at = new.expires_at, priority = new.priority
FROM
    unnest(
        :id::text[], :seen::integer[], :due_at::bigint[], :revision::integer[],
        :generation::integer[], :attempt::integer[], :counted::integer[], :attempts::integer[],
        :active_ms::bigint[], :last_delay_ms::bigint[], :first_attempt_at::bigint[],
        :in_doubt::boolean[], :crashes::integer[], :hold_gate::text[], :code::text[],
        :failure_class::text[], :http_status::integer[], :reason::text[],
        :original_event_id::text[], :endpoint::text[], :policy::text[],
        :fingerprint::text[], :assignee::text[], :cause::text[], :updated_at::bigint[],
        :status::text[], :ended_at::bigint[], :expires_at::bigint[],
        :priority::smallint[]
    ) AS new (
        id, seen, due_at, revision, generation, attempt, counted, attempts, active_ms,
        last_delay_ms, first_attempt_at, in_doubt, crashes, hold_gate, code, failure_class,
        http_status, reason, original_event_id, endpoint, policy, fingerprint, assignee, cause,
        updated_at, status, ended_at, expires_at, priority
    )
WHERE d.id = new.id AND d.revision = new.seen
RETURNING 1
