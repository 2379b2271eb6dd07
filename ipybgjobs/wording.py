"""A job as a person reads it in a terminal, and as JSON values for programs; secrets blanked in both."""

import datetime as dt
import json
import time
from collections.abc import Sequence
from typing import Any

from . import moments, sizes
from .handle import Job
from .jobgroup import Group
from .models import Attempt, JobState


def line(job: Job) -> str:
    """A job in one line."""
    record = job._record()  # noqa: SLF001 - its own package
    return record.line(time.time(), job.status)


def line_with_size(job: Job) -> str:
    """A job in one line, with what it takes on disk."""
    taken = job.disk_bytes
    return line(job) + (f" · {sizes.show(taken)} on disk" if taken else "")


def details(job: Job) -> list[str]:
    """A job with its attempts, in lines."""
    record = job._record()  # noqa: SLF001 - likewise
    lines = [line(job), f"  uid        {job.uid}", f"  queue      {record.queue}, priority {record.priority}"]
    lines += [f"  submitted  {moments.show(record.submitted_at)}"]
    facts = {
        "after": ", ".join(map(str, job.after)),
        "deadline": record.deadline and moments.show(record.deadline),
        "unique": record.unique_key,
        "retry of": record.retried_from,
        "group": record.group_id,
        "kept": "yes: neither clean nor retention removes it" if record.kept else None,
        "disk": sizes.show(job.disk_bytes),
    }
    lines += [f"  {name:11}{value}" for name, value in facts.items() if value]
    lines += [_attempt_line(f"attempt {each.number}", each) for each in job.attempts]
    lines += [_attempt_line("hook", job.hook)] if job.hook else []
    trace = job.traceback
    return [*lines, "", trace.rstrip()] if trace and record.state is not JobState.SUCCEEDED else lines


def _attempt_line(what: str, attempt: Attempt) -> str:
    slot = "" if attempt.slot is None else f"slot {attempt.slot} · "
    return f"  {what}  {moments.show(attempt.started_at)}  {slot}{attempt.line()}"


def as_json(job: Job) -> dict[str, Any]:
    """Return what the command line says of a job, as JSON values."""
    record = job._record()  # noqa: SLF001 - likewise
    return {
        "id": record.id,
        "uid": record.uid,
        "target": record.call.target,
        "call": str(record.call),
        "name": record.name,
        "queue": record.queue,
        "priority": record.priority,
        "state": record.state,
        "status": job.status,
        "error": record.error,
        "after": job.after,
        "deadline": iso(record.deadline),
        "unique": record.unique_key,
        "kept": record.kept,
        "retried_from": record.retried_from,
        "group": record.group_id,
        "disk_bytes": job.disk_bytes,
        "submitted_at": iso(record.submitted_at),
        "started_at": iso(record.started_at),
        "ended_at": iso(record.ended_at),
        "not_before": iso(record.not_before),
        "attempts": [_attempt_json(attempt) for attempt in job.attempts],
    }


def _attempt_json(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "outcome": attempt.outcome,
        "error": attempt.error,
        "started_at": iso(attempt.started_at),
        "ended_at": iso(attempt.ended_at),
        "exit_code": attempt.exit_code,
        "signal": attempt.signal,
        "peak_memory": attempt.peak_memory,
        "cpu_seconds": attempt.cpu_seconds,
        "launched_by": attempt.launched_by,
        "launch_reason": attempt.launch_reason,
        "slot": attempt.slot,
        "traceback": attempt.traceback,
    }


def group_as_json(group: Group) -> dict[str, Any]:
    """Return what the command line says of a group, as JSON values."""
    record = group._record()  # noqa: SLF001 - likewise
    return {"id": record.id, "uid": record.uid, "name": record.name, "target": record.target, "counts": record.counts}


def iso(seconds: float | None) -> str | None:
    """A moment as ISO text, UTC."""
    return None if seconds is None else dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat()


def jsonable(value: Any) -> Any:
    """A value that any program can parse; the repr of one that JSON can't hold."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return repr(value)
    return value


def lines(jobs: Sequence[Job]) -> str:
    """Several jobs, a line each."""
    return "\n".join(map(line, jobs))
