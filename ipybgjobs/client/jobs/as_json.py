"""A job as JSON values, for programs; secrets blanked."""

from collections.abc import Iterable
from typing import Any

from ...model import moments, scalars
from ...model.records import Attempt, JobRecord
from . import batch
from .job_status import JobStatus
from .view import JobView


def of_jobs(jobs: Iterable[JobView]) -> list[dict[str, Any]]:
    """Return what the command line shows of jobs, as JSON values; those that were removed are missing."""
    asked = list(jobs)
    found = batch.described(asked)
    return [_as_json(job, *found[job]) for job in asked if job in found]


def as_json(job: JobView) -> dict[str, Any]:
    """Return what the command line shows of a job, as JSON values."""
    return _as_json(job, job.record(), job.job_status())


def _as_json(job: JobView, record: JobRecord, status: JobStatus) -> dict[str, Any]:
    return {
        "id": record.id,
        "uid": record.uid,
        "target": record.call.target,
        "call": str(record.call),
        "name": record.name,
        "queue": record.queue,
        "priority": record.priority,
        "state": record.state,
        "status": status.text,
        "reason": status.reason,
        "usual_seconds": None if status.usual is None else round(status.usual.seconds, 3),
        "overdue": status.overdue,
        "error": record.error,
        "after": job.after,
        "deadline": moments.iso(record.deadline),
        "unique": record.unique_key,
        "kept": record.kept,
        "retried_from": record.retried_from,
        "group": record.group_id,
        "notebook": record.notebook,
        "disk_bytes": job.disk_bytes,
        "submitted_at": moments.iso(record.submitted_at),
        "started_at": moments.iso(record.started_at),
        "ended_at": moments.iso(record.ended_at),
        "not_before": moments.iso(record.not_before),
        "values": scalars.for_json(job.values),
        "changes": job.changes(),
        "withheld": job.withheld,
        "attempts": [_attempt_json(attempt) for attempt in job.attempts],
    }


def in_full(job: JobView) -> dict[str, Any]:
    """Return `as_json` plus what the job has left running: for single jobs only, because it examines every process."""
    left = [{"pid": each.pid, "command": each.command, "since": moments.iso(each.since)} for each in job.left_running()]
    return as_json(job) | {"left_running": left}


def _attempt_json(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "outcome": attempt.outcome,
        "error": attempt.error,
        "started_at": moments.iso(attempt.started_at),
        "ended_at": moments.iso(attempt.ended_at),
        "exit_code": attempt.exit_code,
        "signal": attempt.signal,
        "peak_memory": attempt.peak_memory,
        "cpu_seconds": attempt.cpu_seconds,
        "launched_by": attempt.launched_by,
        "launch_reason": attempt.launch_reason,
        "slot": attempt.slot,
        "source": None if attempt.source is None else {"path": attempt.source.path, "sha256": attempt.source.digest},
        "traceback": attempt.traceback,
    }
