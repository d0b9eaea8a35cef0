-- No query can read JSON that has U+0000 in a text, as an answer of a partner may have had: now it
-- is U+FFFD. A backslash before `u0000` is none. Events stay as they were written: the audit chain
-- holds sums of them (sum_events.sql); they are mended where they are read.
UPDATE holdfast.operations
SET body = regexp_replace(body::text, '((?<!\\)(?:\\\\)*)\\u0000', '\1\\ufffd', 'g')::json
WHERE body::text LIKE '%\\u0000%';
