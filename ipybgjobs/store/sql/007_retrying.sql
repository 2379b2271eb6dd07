-- A queued job that has been started waits for a retry: it is found, and counted by group, without looking at the other queued ones.
-- The time between attempts is not part of a job's duration.

ALTER TABLE jobs ADD COLUMN retrying_since REAL;                  -- when its last attempt failed; NULL: an attempt is under way
ALTER TABLE jobs ADD COLUMN waited REAL NOT NULL DEFAULT 0;       -- seconds between its attempts since it was submitted or retried by hand

UPDATE jobs SET retrying_since = (SELECT max(ended_at) FROM attempts WHERE job_id = jobs.id)
    WHERE state = 'queued' AND started_at IS NOT NULL;

CREATE INDEX jobs_retrying ON jobs (id) WHERE state = 'queued' AND started_at IS NOT NULL;
CREATE INDEX jobs_retrying_group ON jobs (group_id, not_before) WHERE state = 'queued' AND started_at IS NOT NULL;
