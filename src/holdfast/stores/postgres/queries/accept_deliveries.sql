-- Write new deliveries, in the field order of `Delivery`.
INSERT INTO holdfast.deliveries (
    id, message_id, account, flow, step, recipient, priority, predecessor, followed, expires_at,
    created_at, value, parent, status, due_at, revision, generation, attempt, counted, attempts,
    active_ms, last_delay_ms, first_attempt_at, in_doubt, crashes, hold_gate, code, failure_class,
    http_status, reason, original_event_id, endpoint, policy, fingerprint, assignee, cause,
    updated_at, ended_at, ordinal
)
SELECT *
FROM unnest(
    :id::text[], :message_id::text[], :account::text[], :flow::text[], :step::text[],
    :recipient::text[], :priority::smallint[], :predecessor::text[], :followed::boolean[],
    :expires_at::bigint[], :created_at::bigint[], :value::double precision[],
    :parent::text[], :status::text[], :due_at::bigint[],
    :revision::integer[], :generation::integer[], :attempt::integer[], :counted::integer[],
    :attempts::integer[], :active_ms::bigint[], :last_delay_ms::bigint[],
    :first_attempt_at::bigint[], :in_doubt::boolean[], :crashes::integer[], :hold_gate::text[],
    :code::text[], :failure_class::text[], :http_status::integer[], :reason::text[],
    :original_event_id::text[], :endpoint::text[], :policy::text[], :fingerprint::text[],
    :assignee::text[], :cause::text[], :updated_at::bigint[],
    :ended_at::bigint[], :ordinal::integer[]
)
