-- Append an audit line to a store of any age.
INSERT OR IGNORE INTO notes (at, actor, action, subject, reason, detail)
VALUES (:at, :actor, :action, :subject, :reason, :detail)
