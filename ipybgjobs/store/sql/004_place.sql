-- A job belongs to a place: one boot of one kernel and one PID namespace in it. The host's name is only shown.
-- What an older version wrote belongs to `host:NAME/NAMESPACE`, of whose boot nothing is known.

CREATE TABLE places (
    place TEXT PRIMARY KEY,
    host TEXT NOT NULL,
    boot TEXT,                             -- NULL: an older version's
    pid_namespace TEXT,
    machine TEXT,                          -- NULL: a container, or not known
    device INTEGER                         -- of the file system that holds the state folder; within a boot
) WITHOUT ROWID;

INSERT OR IGNORE INTO places (place, host, pid_namespace)
    SELECT 'host:' || host || '/' || pid_namespace, host, pid_namespace FROM jobs
    UNION SELECT 'host:' || host || '/' || pid_namespace, host, pid_namespace FROM attempts WHERE outcome IS NULL
    UNION SELECT 'host:' || host || '/' || json_extract(options, '$.pid_namespace'), host, json_extract(options, '$.pid_namespace')
        FROM (SELECT host, CASE WHEN json_valid(options) THEN options END AS options FROM requests WHERE verb = 'retry');

ALTER TABLE jobs ADD COLUMN place TEXT NOT NULL DEFAULT '';
UPDATE jobs SET place = 'host:' || host || '/' || pid_namespace;
ALTER TABLE attempts ADD COLUMN place TEXT NOT NULL DEFAULT '';
UPDATE attempts SET place = 'host:' || host || '/' || pid_namespace;
ALTER TABLE attempts ADD COLUMN adopted TEXT;                     -- who said that its process is gone, when nobody could see it

-- A request goes where its job is.
DROP INDEX requests_job;
ALTER TABLE requests RENAME COLUMN host TO place;
UPDATE requests SET place = coalesce(
    CASE WHEN verb = 'retry' AND json_valid(options) THEN 'host:' || place || '/' || json_extract(options, '$.pid_namespace') END,
    (SELECT jobs.place FROM jobs WHERE jobs.id = job_id), place);
CREATE INDEX requests_job ON requests (job_id);

DROP INDEX jobs_ready;
DROP INDEX jobs_waiting;
DROP INDEX jobs_deadline;
DROP INDEX jobs_hook;
DROP INDEX attempts_live;
CREATE INDEX jobs_place ON jobs (place) WHERE state = 'queued';
CREATE INDEX jobs_ready ON jobs (place, queue, priority DESC, id) WHERE state = 'queued' AND ready = 1;
CREATE INDEX jobs_waiting ON jobs (place, not_before) WHERE state = 'queued' AND ready = 0 AND blockers = 0;
CREATE INDEX jobs_deadline ON jobs (place, deadline) WHERE state = 'queued' AND deadline IS NOT NULL;
CREATE INDEX jobs_hook ON jobs (place, id) WHERE hook IS NOT NULL;
CREATE INDEX attempts_live ON attempts (place, job_id) WHERE outcome IS NULL;

ALTER TABLE supervisors RENAME TO older_supervisors;
CREATE TABLE supervisors (
    place TEXT PRIMARY KEY,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    version TEXT NOT NULL,
    started_at REAL NOT NULL,
    heard_at REAL NOT NULL,
    notice TEXT                            -- what keeps jobs from starting, or logs from being written
);
INSERT INTO supervisors SELECT 'host:' || host || '/' || pid_namespace, host, pid, version, started_at, heard_at, notice
    FROM older_supervisors;
DROP TABLE older_supervisors;

DROP TRIGGER changes_update;
CREATE TRIGGER changes_update
    AFTER UPDATE OF state, priority, not_before, started_at, ended_at, error, attempt, allowed_attempts, ready, blockers, place
    ON jobs BEGIN
    INSERT INTO changes (job_id) VALUES (NEW.id);
END;

-- A process of an older version may have the store open still. It goes on reading; what it writes by host nobody would see, so
-- it is refused. These columns are there so that its statements get as far as the reason.
ALTER TABLE jobs DROP COLUMN pid_namespace;
ALTER TABLE jobs ADD COLUMN pid_namespace TEXT;
ALTER TABLE attempts DROP COLUMN pid_namespace;
ALTER TABLE attempts ADD COLUMN pid_namespace TEXT;
ALTER TABLE requests ADD COLUMN host TEXT;
CREATE TRIGGER fence_jobs BEFORE INSERT ON jobs WHEN NEW.pid_namespace IS NOT NULL BEGIN
    SELECT RAISE(ABORT, 'a newer version of ipybgjobs has brought it up to date: restart this kernel or script');
END;
CREATE TRIGGER fence_attempts BEFORE INSERT ON attempts WHEN NEW.pid_namespace IS NOT NULL BEGIN
    SELECT RAISE(ABORT, 'a newer version of ipybgjobs has brought it up to date: this supervisor is to end');
END;
CREATE TRIGGER fence_requests BEFORE INSERT ON requests WHEN NEW.host IS NOT NULL BEGIN
    SELECT RAISE(ABORT, 'a newer version of ipybgjobs has brought it up to date: restart this kernel or script');
END;
