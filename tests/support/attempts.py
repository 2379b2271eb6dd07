"""What tests ask about attempts of a job."""

import itertools
import pathlib

from .jobs import functions

#: Retry at once.
AT_ONCE = {"max_attempts": 3, "delay_seconds": 0}


def is_alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def outcomes(job):
    return [attempt.outcome for attempt in job.attempts]


def started(job):
    return job.attempts[0].started_at


def ended(job):
    return job.attempts[-1].ended_at


def gaps(job):
    """Seconds between the end of an attempt and the start of the next."""
    attempts = job.attempts
    return [after.started_at - before.ended_at for before, after in itertools.pairwise(attempts)]


TRIES = functions("tries")
