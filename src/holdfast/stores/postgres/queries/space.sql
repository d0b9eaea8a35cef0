-- Bytes that the database takes on its server's disk.
SELECT pg_database_size(current_database())
