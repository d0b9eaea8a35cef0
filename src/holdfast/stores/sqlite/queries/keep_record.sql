-- Keep a record.
INSERT OR REPLACE INTO access_records (kind, key, revision, body, until)
VALUES (:kind, :key, :revision, :body, :until)
