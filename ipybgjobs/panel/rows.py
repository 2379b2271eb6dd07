"""Turn a job into a row of the panel: a short list, since thousands are sent; with secrets blanked, and without markup."""

import functools
import os
from collections.abc import Sequence
from typing import Any

from ..model import title
from ..model.records import JobState
from ..model.redaction import cut, one_line
from ..model.usual_time import UsualTime
from ..state import progress as progress_of
from ..state.progress import Progress
from ..store.changes import JobWithAttempt

#: The columns of a row, in order; ``web/jobs.js`` reads them in the same order.
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
    "after",
    "usual",
    "group_name",
    "notebook",
    "whole",
)

#: Targets whose calls are shown by a title; the row then has the whole call too.
_TITLED = (title.CELL_RUN, title.NOTEBOOK_RUN)

#: Most dependencies that a row names; the others are counted.
_NAMED = 3

#: Longest text of a call and of an error in a row, in characters; the details have the full text.
_LONGEST = 160


def row(seen: JobWithAttempt, here: str, after: Sequence[int] = (), usual: UsualTime | None = None) -> list[Any]:
    """Return a row, without empty values at its end.

    Parameters
    ----------
    seen : JobWithAttempt
        The job.
    here : str
        This place; an unfinished job of another place carries the name of its host.
    after : sequence of int
        The unfinished jobs that it depends on.
    usual : UsualTime, optional
        How long such jobs usually run.
    """
    job = seen.job
    call = title.of_call(job.call)
    elsewhere = job.owner.host if job.owner.place != here and not job.state.ended else None
    started, ended = job.active_time
    values = [
        job.id,
        job.state.value,
        None if job.name is None else cut(one_line(job.name), _LONGEST),
        cut(call, _LONGEST),
        job.queue,
        job.priority,
        _moment(job.submitted_at),
        _moment(started),
        _moment(ended),
        _moment(None if job.state.ended or job.ready else job.not_before),
        job.attempt,
        job.allowed_attempts,
        seen.peak_memory,
        None if job.current_error is None else cut(job.current_error, _LONGEST),
        job.group_id,
        job.pending_dependencies or None,
        elsewhere,
        list(after[:_NAMED]) or None,
        None if usual is None else _usual(usual, seen),
        None if seen.group_name is None else cut(one_line(seen.group_name), _LONGEST),
        None if job.notebook is None else cut(one_line(os.path.basename(job.notebook)), _LONGEST),
        None if job.call.target not in _TITLED else cut(str(job.call), _LONGEST),
    ]
    while values[-1] is None:
        values.pop()
    return values


def _usual(usual: UsualTime, seen: JobWithAttempt) -> list[Any]:
    """Return the usual time in words, and the moment from which the running attempt is overdue."""
    started = seen.attempt_started_at if seen.job.state is JobState.RUNNING else None
    return [_words(usual), None if started is None or usual.limit is None else _moment(started + usual.limit)]


@functools.lru_cache(maxsize=256)
def _words(usual: UsualTime) -> str:
    """Return a usual time in words; many jobs have the same."""
    return str(usual)


def _moment(seconds: float | None) -> float | None:
    """Return seconds since the epoch, rounded to milliseconds."""
    return None if seconds is None else round(seconds, 3)


def progress(job_id: int, folder: str) -> list[Any] | None:
    """Return a job's progress: id, share, done, total, unit, rate per second, seconds left, message; None if it reports none."""
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
