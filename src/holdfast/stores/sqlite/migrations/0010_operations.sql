-- Bulk work and what became of each delivery.
CREATE TABLE operations (
    id TEXT NOT NULL PRIMARY KEY,
    revision INTEGER NOT NULL CHECK (revision > 0),
    active INTEGER NOT NULL CHECK (active IN (0, 1)),
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX operations_active ON operations (id) WHERE active = 1;

-- One row per delivery that an operation came to.
CREATE TABLE operation_results (
    operation_id TEXT NOT NULL,
    delivery_id TEXT NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL,
    revision INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (operation_id, delivery_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX operation_results_open ON operation_results (operation_id, delivery_id)
WHERE outcome IN ('done', 'released');
