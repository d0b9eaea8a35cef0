-- Bulk work and what became of each delivery.
CREATE TABLE holdfast.operations (
    id text COLLATE "C" PRIMARY KEY,
    revision bigint NOT NULL CHECK (revision > 0),
    active boolean NOT NULL,
    body json NOT NULL
);

CREATE INDEX operations_active ON holdfast.operations (id) WHERE active;

-- One row per delivery that an operation came to.
CREATE TABLE holdfast.operation_results (
    operation_id text COLLATE "C" NOT NULL,
    delivery_id text COLLATE "C" NOT NULL,
    outcome text NOT NULL,
    reason text NOT NULL,
    revision integer NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (operation_id, delivery_id)
);

CREATE INDEX operation_results_open ON holdfast.operation_results (operation_id, delivery_id)
WHERE outcome IN ('done', 'released');
