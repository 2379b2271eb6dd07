-- What changed last, so that whoever shows the jobs reads only those. A change is the id of a job; only the newest changes are
-- kept, and who comes later than that reads all anew.

CREATE TABLE changes (
    seq INTEGER PRIMARY KEY,               -- grows by one; the newest is always there
    job_id INTEGER NOT NULL
);

CREATE TRIGGER changes_insert AFTER INSERT ON jobs BEGIN
    INSERT INTO changes (job_id) VALUES (NEW.id);
END;
CREATE TRIGGER changes_update
    AFTER UPDATE OF state, priority, not_before, started_at, ended_at, error, attempt, allowed_attempts, ready, blockers ON jobs BEGIN
    INSERT INTO changes (job_id) VALUES (NEW.id);
END;
CREATE TRIGGER changes_delete AFTER DELETE ON jobs BEGIN
    INSERT INTO changes (job_id) VALUES (OLD.id);
END;
CREATE TRIGGER changes_trim AFTER INSERT ON changes WHEN NEW.seq % 256 = 0 BEGIN
    DELETE FROM changes WHERE seq <= NEW.seq - 10000;
END;
