"""What a finished job returned or raised; read from the files of its last attempt, without waiting."""

from typing import Any

from ... import tracebacks
from ...errors import BackgroundJobError
from ...model.records import JobState
from ...state import results
from .view import JobView


def result(job: JobView) -> Any:
    """Return what a finished job returned, or raise what it raised."""
    error = exception(job)
    if error is not None:
        tracebacks.show_only_user_frames(error)
        raise error
    last = job.attempts[-1:]
    return results.value(job.state_folder.attempt(last[0].folder or "") if last else None, job.id)


def exception(job: JobView) -> BaseException | None:
    """Return what a finished job raised; None if it succeeded."""
    record = job.record()
    if record.state is JobState.SUCCEEDED:
        return None
    last = job.attempts[-1:]
    if record.state is JobState.CANCELLED:
        ended = last[0] if last and last[0].outcome == "cancelled" else None  # otherwise it was cancelled before it ran again
        folder = None if ended is None or ended.folder is None else job.state_folder.attempt(ended.folder)
        return results.exception(folder, "cancelled", f"job {job.id} was cancelled ({record.short_title})", None)
    message = f"job {job.id} ({record.short_title}): {record.error}"
    if not last or last[0].error != record.error:  # it failed without another attempt, because of its deadline or another job
        return results.exception(None, None, message, None)
    folder = None if last[0].folder is None else job.state_folder.attempt(last[0].folder)
    return results.exception(folder, last[0].outcome, message, job.traceback)


def result_or_none(job: JobView, folder: str) -> Any:
    """Load what a job that succeeded returned; None if that was not saved, or can't be loaded here.

    Parameters
    ----------
    job : JobView
        The job.
    folder : str
        The folder of its last attempt.
    """
    try:
        return results.value(folder, job.id)
    except BackgroundJobError:
        return None


def result_without_pickle(_: JobView, folder: str) -> Any:
    """Return the same as far as it is plain, and unpickle nothing."""
    return results.without_pickle(folder)


def result_or_exception(job: JobView) -> Any:
    """Return what a finished job returned, or the exception in its place."""
    error = exception(job)
    if error is not None or job.state is not JobState.SUCCEEDED:
        return error
    try:
        return result(job)
    except Exception as problem:
        return problem
