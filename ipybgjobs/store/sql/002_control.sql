-- Order, deadlines, uniqueness, reuse, groups, pausing, hooks, slots.
-- Times are seconds since the epoch, UTC.

CREATE TABLE groups (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL UNIQUE,
    name TEXT,
    target TEXT NOT NULL,
    common TEXT NOT NULL,                  -- JSON: parameters that all its jobs share, stored once
    pickled TEXT NOT NULL,                 -- JSON: slot to description; the values are in the group's folder
    hidden TEXT NOT NULL,                  -- JSON: secret values among them
    submitted_at REAL NOT NULL
);

CREATE INDEX groups_name ON groups (name, id) WHERE name IS NOT NULL;

-- How many jobs of a group are in each state: kept by the triggers below, so that nobody counts a hundred thousand.
CREATE TABLE group_counts (
    group_id INTEGER NOT NULL REFERENCES groups (id),
    state TEXT NOT NULL,
    jobs INTEGER NOT NULL,
    PRIMARY KEY (group_id, state)
) WITHOUT ROWID;

CREATE TABLE dependencies (
    job_id INTEGER NOT NULL REFERENCES jobs (id),
    on_id INTEGER NOT NULL,                -- always an older job; so there is no circle
    anyway INTEGER NOT NULL,               -- 0: it must succeed; 1: whatever becomes of it; 2: likewise, since it was replaced
    PRIMARY KEY (on_id, job_id)
) WITHOUT ROWID;

CREATE INDEX dependencies_job ON dependencies (job_id);

CREATE TABLE paused (
    queue TEXT PRIMARY KEY,
    paused_at REAL NOT NULL
);

ALTER TABLE jobs ADD COLUMN ready INTEGER NOT NULL DEFAULT 0;     -- a queued job that a slot is all it waits for
ALTER TABLE jobs ADD COLUMN blockers INTEGER NOT NULL DEFAULT 0;  -- jobs it comes after that have not ended
ALTER TABLE jobs ADD COLUMN timed INTEGER NOT NULL DEFAULT 0;     -- not_before is a time of the calendar, no delay
ALTER TABLE jobs ADD COLUMN deadline REAL;                        -- for the job in all
ALTER TABLE jobs ADD COLUMN deadline_timed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN unique_key TEXT;                      -- one live job holds it
ALTER TABLE jobs ADD COLUMN replaced INTEGER NOT NULL DEFAULT 0;  -- 1: it has given its unique key to another
ALTER TABLE jobs ADD COLUMN fingerprint TEXT;                     -- target, parameters and source; NULL: not to be reused
ALTER TABLE jobs ADD COLUMN source TEXT;                          -- JSON: the target's file at submit, with date and size
ALTER TABLE jobs ADD COLUMN kept INTEGER NOT NULL DEFAULT 0;      -- 1: neither clean nor retention removes it
ALTER TABLE jobs ADD COLUMN retried_from INTEGER;                 -- the job whose parameters were changed for this one
ALTER TABLE jobs ADD COLUMN group_id INTEGER REFERENCES groups (id);
ALTER TABLE jobs ADD COLUMN hooks TEXT NOT NULL DEFAULT '[]';     -- JSON: which hooks the class has
ALTER TABLE jobs ADD COLUMN hook TEXT;                            -- the one that is to be called

CREATE TABLE origins (
    id INTEGER PRIMARY KEY,
    body TEXT NOT NULL UNIQUE              -- JSON: interpreter, packages, git commit; each distinct one once
);

ALTER TABLE attempts ADD COLUMN source TEXT;                      -- JSON: the target's file as it ran, with date, size and hash
ALTER TABLE attempts ADD COLUMN origin INTEGER REFERENCES origins (id);
ALTER TABLE attempts ADD COLUMN slot INTEGER;                     -- number of the queue's slot; attempt 0 is a hook's

DROP INDEX jobs_next;
CREATE INDEX jobs_ready ON jobs (host, queue, priority DESC, id) WHERE state = 'queued' AND ready = 1;
CREATE INDEX jobs_waiting ON jobs (host, not_before) WHERE state = 'queued' AND ready = 0 AND blockers = 0;
CREATE INDEX jobs_deadline ON jobs (host, deadline) WHERE state = 'queued' AND deadline IS NOT NULL;
CREATE INDEX jobs_hook ON jobs (host, id) WHERE hook IS NOT NULL;
CREATE UNIQUE INDEX jobs_unique ON jobs (unique_key)
    WHERE unique_key IS NOT NULL AND state IN ('queued', 'running') AND NOT replaced;
CREATE INDEX jobs_replaced ON jobs (unique_key) WHERE replaced AND state IN ('queued', 'running');
CREATE INDEX requests_job ON requests (job_id);
CREATE INDEX jobs_reuse ON jobs (fingerprint, id) WHERE state = 'succeeded' AND fingerprint IS NOT NULL;
CREATE INDEX jobs_ended ON jobs (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX jobs_group ON jobs (group_id, state, id) WHERE group_id IS NOT NULL;
CREATE INDEX jobs_alone ON jobs (id) WHERE group_id IS NULL;

-- The newest of any combination: some of the columns given, the others walked through (see listing).
DROP INDEX jobs_queue;
CREATE INDEX jobs_queue ON jobs (queue, state, id);
CREATE INDEX jobs_listing ON jobs (target, queue, state, id);
CREATE INDEX jobs_named ON jobs (name, target, queue, state, id) WHERE name IS NOT NULL;

CREATE TRIGGER group_counts_insert AFTER INSERT ON jobs WHEN NEW.group_id IS NOT NULL BEGIN
    INSERT INTO group_counts (group_id, state, jobs) VALUES (NEW.group_id, NEW.state, 1)
        ON CONFLICT (group_id, state) DO UPDATE SET jobs = jobs + 1;
END;
CREATE TRIGGER group_counts_update AFTER UPDATE OF state ON jobs WHEN NEW.group_id IS NOT NULL AND NEW.state != OLD.state BEGIN
    UPDATE group_counts SET jobs = jobs - 1 WHERE group_id = OLD.group_id AND state = OLD.state;
    INSERT INTO group_counts (group_id, state, jobs) VALUES (NEW.group_id, NEW.state, 1)
        ON CONFLICT (group_id, state) DO UPDATE SET jobs = jobs + 1;
END;
CREATE TRIGGER group_counts_delete AFTER DELETE ON jobs WHEN OLD.group_id IS NOT NULL BEGIN
    UPDATE group_counts SET jobs = jobs - 1 WHERE group_id = OLD.group_id AND state = OLD.state;
END;
