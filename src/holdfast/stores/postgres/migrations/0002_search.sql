-- Searches: by recipient among the dead, and by fields of the payload.

-- Review: only dead ones pay for these. The second answers most counts of them by itself.
CREATE INDEX deliveries_dead ON holdfast.deliveries (recipient, id) WHERE status = 'dead';
CREATE INDEX deliveries_review ON holdfast.deliveries (
    id, status, recipient, failure_class, code, http_status, flow, step, account, attempts,
    priority, created_at
) WHERE status = 'dead';

-- Search fields of payloads, as keyed digests of account, field and value; they go with the payload.
CREATE TABLE holdfast.search_tokens (
    token bytea NOT NULL,
    delivery_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (token, delivery_id)
);

CREATE INDEX search_tokens_delivery ON holdfast.search_tokens (delivery_id);
