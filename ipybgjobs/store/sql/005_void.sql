-- How many launches of a queued job's next attempt came to nothing: each has had a folder of its own.

ALTER TABLE jobs ADD COLUMN void_launches INTEGER NOT NULL DEFAULT 0;
