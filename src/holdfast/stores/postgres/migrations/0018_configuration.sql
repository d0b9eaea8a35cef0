-- With which version of the configuration a worker started; 0: with none, or it is an older program.
ALTER TABLE holdfast.workers ADD COLUMN configuration integer NOT NULL DEFAULT 0;
