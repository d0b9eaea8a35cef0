-- Make sure that these recipients are counted.
INSERT OR IGNORE INTO counters (recipient)
SELECT * FROM (VALUES (?)) WHERE column1 IS NOT NULL
