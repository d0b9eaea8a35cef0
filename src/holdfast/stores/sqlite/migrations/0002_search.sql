-- Searches: by recipient among the dead, and by fields of the payload.

-- Review: only dead ones pay for these. The second answers most counts of them by itself.
CREATE INDEX deliveries_dead ON deliveries (recipient, id) WHERE status = 'dead';
CREATE INDEX deliveries_review ON deliveries (
    id, status, recipient, failure_class, code, http_status, flow, step, account, attempts,
    priority, created_at
) WHERE status = 'dead';

-- Search fields of payloads, as keyed digests of account, field and value; they go with the payload.
CREATE TABLE search_tokens (
    token BLOB NOT NULL,
    delivery_id TEXT NOT NULL,
    PRIMARY KEY (token, delivery_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX search_tokens_delivery ON search_tokens (delivery_id);
