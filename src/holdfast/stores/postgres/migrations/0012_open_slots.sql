-- How many sends at once a worker allows now; `slots` is the most.
ALTER TABLE holdfast.workers ADD COLUMN open_slots integer NOT NULL DEFAULT 0;
