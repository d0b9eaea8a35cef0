-- Searches: by recipient among the dead, and by fields of the payload.

-- Review by recipient: only dead ones pay for it.
CREATE INDEX deliveries_dead ON holdfast.deliveries (recipient, id) WHERE status = 'dead';

-- Search fields of payloads, as keyed digests of account, field and value; they go with the payload.
CREATE TABLE holdfast.search_tokens (
    token bytea NOT NULL,
    delivery_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (token, delivery_id)
);

CREATE INDEX search_tokens_delivery ON holdfast.search_tokens (delivery_id);
