-- Append retry events. Their positions rise with the transaction's id, which `fence` shifts.
INSERT INTO holdfast.attempts (
    position, event_id, delivery_id, recipient, retry_timestamp, outcome, failure_class, body,
    excerpt
)
SELECT
    ((pg_current_xact_id()::text::bigint + fence.shift) << 13) + new.number, new.event_id,
    new.delivery_id, new.recipient, new.retry_timestamp, new.outcome, new.failure_class,
    new.body::json, new.excerpt
FROM
    fence,
    unnest(
        :number::bigint[], :event_id::text[], :delivery_id::text[], :recipient::text[],
        :retry_timestamp::bigint[], :outcome::text[], :failure_class::text[], :body::text[],
        :excerpt::bytea[]
    ) AS new (
        number, event_id, delivery_id, recipient, retry_timestamp, outcome, failure_class, body,
        excerpt
    )
