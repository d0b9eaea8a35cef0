-- The same for a store that had no events yet.
INSERT INTO sqlite_sequence (name, seq) VALUES ('attempts', :positions)
