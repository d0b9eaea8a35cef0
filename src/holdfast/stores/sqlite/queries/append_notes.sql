-- Append audit lines.
INSERT OR IGNORE INTO notes (at, actor, action, subject, reason, detail, account)
SELECT * FROM (VALUES (?, ?, ?, ?, ?, ?, ?)) WHERE column1 IS NOT NULL
