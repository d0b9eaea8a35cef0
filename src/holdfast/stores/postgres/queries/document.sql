-- One document.
SELECT version, body FROM holdfast.documents WHERE name = :name::text
