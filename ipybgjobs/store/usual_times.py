"""How long unfinished jobs usually run: read from the last attempts that succeeded, for many jobs by one statement."""

import contextlib
import json
from collections.abc import Iterable

from ..model.records import JobRecord
from ..model.usual_time import RUNS, UsualTime
from . import columns
from .columns import UnreadableRow
from .database import Database

#: Most different targets that are looked up at once; jobs of others have no usual time.
_TARGETS = 200

#: The package's own targets run any code, so their jobs are compared only with those of the same name.
_OWN = "ipybgjobs."

#: For each target and name, the newest jobs that succeeded, found in an index for each queue; the state's values are few.
_LAST = f"""WITH RECURSIVE
    queues (queue) AS (
        SELECT min(queue) FROM jobs
        UNION ALL SELECT (SELECT min(queue) FROM jobs WHERE queue > queues.queue) FROM queues WHERE queues.queue IS NOT NULL),
    wanted (target, name) AS (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?)),
    found (target, name, id) AS (
        SELECT wanted.target, NULL, jobs.id FROM wanted, queues, jobs WHERE wanted.name IS NULL AND jobs.id IN (
            SELECT id FROM jobs INDEXED BY jobs_listing
            WHERE target = wanted.target AND queue = queues.queue AND state = 'succeeded' ORDER BY id DESC LIMIT {RUNS})
        UNION ALL
        SELECT wanted.target, wanted.name, jobs.id FROM wanted, queues, jobs WHERE wanted.name IS NOT NULL AND jobs.id IN (
            SELECT id FROM jobs INDEXED BY jobs_named
            WHERE name = wanted.name AND target = wanted.target AND queue = queues.queue AND state = 'succeeded'
            ORDER BY id DESC LIMIT {RUNS}))
    SELECT found.target, found.name, attempts.ended_at - attempts.started_at AS seconds
    FROM found JOIN jobs ON jobs.id = found.id
        JOIN attempts ON attempts.job_id = jobs.id AND attempts.number = jobs.attempt AND attempts.outcome = 'succeeded'
    ORDER BY found.id DESC"""

_Key = tuple[str, str | None]


def of_jobs(database: Database, jobs: Iterable[JobRecord]) -> dict[int, UsualTime]:
    """Return how long jobs usually run, by id: jobs of the same target count, and for a notebook or cell those of the same name.

    Finished jobs, and those of which no other has succeeded, are missing.
    """
    keys = {job.id: key for job in jobs if not job.state.ended and (key := _key(job)) is not None}
    if not keys:
        return {}
    found: dict[_Key, list[float]] = {}
    wanted = list(dict.fromkeys(keys.values()))[:_TARGETS]
    for row in database.read(_LAST, (json.dumps(wanted),)):
        with contextlib.suppress(UnreadableRow):
            found.setdefault((row["target"], row["name"]), []).append(max(0.0, columns.number(row, "seconds")))
    usual = {key: UsualTime.of(seconds[:RUNS]) for key, seconds in found.items()}
    return {job_id: time for job_id, key in keys.items() if (time := usual.get(key)) is not None}


def _key(job: JobRecord) -> _Key | None:
    """Return what a job is compared by: its target, and the name of a notebook's or cell's job; None: nothing is comparable."""
    if not job.call.target.startswith(_OWN):
        return job.call.target, None
    return None if job.name is None else (job.call.target, job.name)
