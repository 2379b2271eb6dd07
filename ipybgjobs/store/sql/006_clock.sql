-- What the clock says is only good until somebody sets it.

ALTER TABLE jobs ADD COLUMN booted_at REAL;      -- by the clock that not_before and deadline were written by: when the machine booted.
                                                 -- NULL: it was another boot's, or is not known
CREATE INDEX jobs_clockless ON jobs (place) WHERE booted_at IS NULL AND state IN ('queued', 'running');

ALTER TABLE supervisors ADD COLUMN heard_monotonic REAL;   -- heard_at, on the clock that nobody sets and that stops while it sleeps
