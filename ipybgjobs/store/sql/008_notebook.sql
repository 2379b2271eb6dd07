-- Which notebook a job came from.

ALTER TABLE jobs ADD COLUMN notebook TEXT;       -- path of the notebook that submitted it; NULL: a script, a terminal, or not known
