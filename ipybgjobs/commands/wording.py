"""Jobs as text for a terminal, and values as JSON; secrets blanked."""

import json
import time
from collections.abc import Sequence
from typing import Any

from ..client.jobs import batch
from ..client.jobs.job import Job
from ..client.jobs.job_list import JobList
from ..model import moments, scalars, sizes
from ..model.records import Attempt, JobState
from ..model.redaction import one_line


def line(job: Job) -> str:
    """Return a job as one line."""
    return job.line()


def lines_with_size(jobs: JobList) -> list[str]:
    """Return jobs as one line each, with the disk space that they take."""
    now, found = time.time(), batch.described(jobs)
    return [_with_size(job, found[job].line(now)) for job in jobs if job in found]


def _with_size(job: Job, text: str) -> str:
    taken = job.disk_bytes
    return text + (f" · {sizes.show(taken)} on disk" if taken else "")


def details(job: Job) -> list[str]:
    """Return the lines that describe a job with its attempts."""
    record = job.record()
    lines = [line(job), f"  uid        {job.uid}", f"  queue      {one_line(record.queue)}, priority {record.priority}"]
    lines += [f"  submitted  {moments.show(record.submitted_at)}"]
    facts = {
        "after": ", ".join(map(str, job.after)),
        "deadline": record.deadline and moments.show(record.deadline),
        "unique": one_line(record.unique_key or ""),
        "retry of": record.retried_from,
        "group": record.group_id,
        "kept": "yes: neither clean nor retention removes it" if record.kept else None,
        "disk": sizes.show(job.disk_bytes),
        "values": one_line(scalars.show(job.values)),
    }
    lines += [f"  {name:11}{value}" for name, value in facts.items() if value]
    lines += [_attempt_line(f"attempt {each.number}", each) for each in job.attempts]
    lines += [_attempt_line("hook", job.hook)] if job.hook else []
    lines += [f"  withheld by the system: {each}" for each in job.withheld]
    lines += [f"  left running: {each.line(time.time())}" for each in job.left_running()]
    lines += [f"  {each}" for each in job.changes()]
    trace = job.traceback
    return [*lines, "", trace.rstrip()] if trace and record.state is not JobState.SUCCEEDED else lines


def _attempt_line(what: str, attempt: Attempt) -> str:
    slot = "" if attempt.slot is None else f"slot {attempt.slot} · "
    return f"  {what}  {moments.show(attempt.started_at)}  {slot}{attempt.line()}"


def jsonable(value: Any) -> Any:
    """Return a value that JSON can hold; otherwise its repr."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return repr(value)
    return value


def lines(jobs: Sequence[Job]) -> str:
    """Return several jobs, a line each."""
    now, found = time.time(), batch.described(jobs)
    return "\n".join(found[job].line(now) for job in jobs if job in found)
