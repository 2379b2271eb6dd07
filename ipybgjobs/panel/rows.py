"""A job as a row of the panel: a short list, since thousands are sent; secrets blanked, never markup."""

from typing import Any

from ..model.redaction import cut, one_line
from ..state import progress as progress_of
from ..state.progress import Progress
from ..store.changes import Seen

#: What stands where in a row; ``web/jobs.js`` reads them in this order.
COLUMNS = (
    "id",
    "state",
    "name",
    "call",
    "queue",
    "priority",
    "submitted",
    "started",
    "ended",
    "not_before",
    "attempt",
    "allowed",
    "memory",
    "error",
    "group",
    "blockers",
    "elsewhere",
)

#: Longest text of a call and of an error in a row; the detail has all of it.
_LONGEST = 160


def row(seen: Seen, here: str) -> list[Any]:
    """Return a row, without what stands empty at its end.

    Parameters
    ----------
    seen : Seen
        The job.
    here : str
        This place; a job of another that has not ended bears the name of its host.
    """
    job = seen.job
    elsewhere = job.owner.host if job.owner.place != here and not job.state.ended else None
    values = [
        job.id,
        job.state.value,
        None if job.name is None else cut(one_line(job.name), _LONGEST),
        cut(str(job.call), _LONGEST),
        job.queue,
        job.priority,
        _moment(job.submitted_at),
        _moment(job.started_at),
        _moment(job.ended_at),
        _moment(None if job.state.ended or job.ready else job.not_before),
        job.attempt,
        job.allowed_attempts,
        seen.peak_memory,
        None if job.standing_error in (None, job.state.value) else cut(job.standing_error or "", _LONGEST),
        job.group_id,
        job.blockers or None,
        elsewhere,
    ]
    while values[-1] is None:
        values.pop()
    return values


def _moment(seconds: float | None) -> float | None:
    """Seconds since the epoch, in milliseconds."""
    return None if seconds is None else round(seconds, 3)


def progress(job_id: int, folder: str) -> list[Any] | None:
    """Return how far a job is: id, share, done, total, unit, rate a second, seconds left, what it is at; None if it is silent."""
    far = progress_of.of_attempt(folder)
    if far is None:
        return None
    message = far.message or (far.bars[0].label if far.bars else "")
    return [job_id, *_numbers(far), cut(one_line(message), _LONGEST)]


def _numbers(far: Progress) -> list[Any]:
    unit = cut(one_line(far.bars[0].unit)) if far.bars else ""
    return [_short(far.fraction), far.done, far.total, unit, _short(far.rate), _short(far.remaining)]


def _short(number: float | None) -> float | None:
    return None if number is None else float(f"{number:.4g}")
