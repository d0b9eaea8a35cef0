-- One document.
SELECT version, body FROM documents WHERE name = :name
