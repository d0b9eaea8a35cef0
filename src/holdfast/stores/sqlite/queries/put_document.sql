-- Write a document.
INSERT OR REPLACE INTO documents (name, version, body, written_at)
VALUES (:name, :version, :body, :now)
