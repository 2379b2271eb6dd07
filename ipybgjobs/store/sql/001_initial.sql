-- Jobs, their attempts, what users asked for, and who supervises.
-- Times are seconds since the epoch, UTC.

CREATE TABLE contexts (
    id INTEGER PRIMARY KEY,
    body TEXT NOT NULL UNIQUE              -- JSON: interpreter, folder, path, configuration files
);

CREATE TABLE environments (
    id INTEGER PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL                     -- JSON: variables; a row goes with the last job that needs it
);

CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL UNIQUE,
    target TEXT NOT NULL,
    name TEXT,
    init TEXT NOT NULL,                    -- JSON
    params TEXT NOT NULL,                  -- JSON
    pickled TEXT NOT NULL,                 -- JSON: slot to description; the values are in the job's folder
    positional TEXT NOT NULL,              -- JSON: names of parameters passed by position
    secrets TEXT NOT NULL,                 -- JSON: names of parameters whose values are not shown
    hidden TEXT NOT NULL,                  -- JSON: the secret values as text, to be blanked wherever they turn up
    queue TEXT NOT NULL,
    priority INTEGER NOT NULL,
    state TEXT NOT NULL,
    not_before REAL NOT NULL,
    submitted_at REAL NOT NULL,
    started_at REAL,
    ended_at REAL,
    error TEXT,
    attempt INTEGER NOT NULL DEFAULT 0,
    allowed_attempts INTEGER NOT NULL,
    rules TEXT NOT NULL,                   -- JSON
    timeout REAL,
    host TEXT NOT NULL,
    pid_namespace TEXT NOT NULL,
    context INTEGER NOT NULL REFERENCES contexts (id),
    environment INTEGER REFERENCES environments (id)   -- NULL once the job has ended
);

CREATE INDEX jobs_next ON jobs (host, queue, priority DESC, id) WHERE state = 'queued';
CREATE INDEX jobs_environment ON jobs (environment) WHERE environment IS NOT NULL;
CREATE INDEX jobs_state ON jobs (state, id);
CREATE INDEX jobs_target ON jobs (target, id);
CREATE INDEX jobs_queue ON jobs (queue, id);
CREATE INDEX jobs_name ON jobs (name, id) WHERE name IS NOT NULL;

CREATE TABLE attempts (
    job_id INTEGER NOT NULL REFERENCES jobs (id),
    number INTEGER NOT NULL,
    launches INTEGER NOT NULL DEFAULT 1,   -- more than one: a launch was voided before anything ran
    folder TEXT,                           -- relative to the state folder
    started_at REAL NOT NULL,
    ended_at REAL,
    outcome TEXT,                          -- NULL while it runs
    ending TEXT,                           -- why it is being ended; committed before the first signal
    ending_at REAL,
    ending_grace REAL,
    error TEXT,
    traceback TEXT,
    exit_code INTEGER,
    signal INTEGER,
    peak_memory INTEGER,                   -- bytes
    cpu_seconds REAL,
    launched_by TEXT,
    launch_reason TEXT,
    host TEXT NOT NULL,
    pid_namespace TEXT NOT NULL,
    PRIMARY KEY (job_id, number)
) WITHOUT ROWID;

CREATE INDEX attempts_live ON attempts (host, job_id) WHERE outcome IS NULL;

CREATE TABLE requests (
    id INTEGER PRIMARY KEY,
    job_id INTEGER NOT NULL REFERENCES jobs (id),
    host TEXT NOT NULL,                    -- whose supervisor is to answer
    verb TEXT NOT NULL,                    -- cancel, retry
    options TEXT NOT NULL,                 -- JSON
    environment INTEGER REFERENCES environments (id),  -- of a retry
    requested_at REAL NOT NULL
);

CREATE TABLE supervisors (
    host TEXT PRIMARY KEY,
    pid_namespace TEXT NOT NULL,
    pid INTEGER NOT NULL,
    version TEXT NOT NULL,
    started_at REAL NOT NULL,
    heard_at REAL NOT NULL,
    notice TEXT                            -- what keeps jobs from starting, or logs from being written
);
