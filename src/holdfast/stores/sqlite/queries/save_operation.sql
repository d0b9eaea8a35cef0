-- Keep an operation.
INSERT OR REPLACE INTO operations (id, revision, active, body)
VALUES (:id, :revision, :active, :body)
