-- Searches: by recipient among the dead, and by fields of the payload.

-- Review by recipient: only dead ones pay for it.
CREATE INDEX deliveries_dead ON deliveries (recipient, id) WHERE status = 'dead';

-- Search fields of payloads, as keyed digests of account, field and value; they go with the payload.
CREATE TABLE search_tokens (
    token BLOB NOT NULL,
    delivery_id TEXT NOT NULL,
    PRIMARY KEY (token, delivery_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX search_tokens_delivery ON search_tokens (delivery_id);
