"""Read the result of an attempt: its return value, or the exception that it raised; always returns a value or an error.

Workers load it to call a hook, so it imports next to nothing.
"""

import contextlib
from typing import Any

from ..errors import (
    BackgroundJobError,
    JobCancelled,
    JobFailed,
    JobLost,
    JobNotAllowed,
    JobTimeout,
    RemoteTraceback,
    ResultNotKept,
)
from ..model import redaction, scalars, serialization
from . import attempt, ownership, reports

#: The exception for an attempt that left none, by its outcome.
_WITHOUT_EXCEPTION: dict[str, type[BackgroundJobError]] = {
    "cancelled": JobCancelled,
    "timeout": JobTimeout,
    "lost": JobLost,
    "denied": JobNotAllowed,
}


def value(folder: str | None, job_id: int) -> Any:
    """Return what the method returned.

    Parameters
    ----------
    folder : str or None
        The attempt folder; None if no attempt is recorded.
    job_id : int
        For messages.

    Raises
    ------
    ResultNotKept
        If the value could not be saved, or can't be loaded here.
    """
    if folder is None:
        raise ResultNotKept(f"job {job_id} succeeded, but none of its attempts is recorded, so its return value can't be found.")
    report = reports.outcome(folder)
    result = {} if report is None else report.result
    if "plain" in result:
        return result["plain"]
    if "lost" in result:
        representation = str(result.get("repr", ""))
        raise ResultNotKept(
            f"job {job_id} succeeded, but its return value ({result.get('type')}) could not be saved: {result['lost']}. "
            f"Its repr is {redaction.cut(representation, 200)}",
            representation,
        )
    try:
        return serialization.load(ownership.read(f"{folder}/{attempt.RESULT}"))
    except (Exception, SystemExit) as problem:  # it must not end the process that asks for it
        raise ResultNotKept(
            f"job {job_id} succeeded, but its return value can't be loaded here: {type(problem).__name__}: {problem}."
        ) from problem


def without_pickle(folder: str) -> Any:
    """Return what an attempt returned as far as it is plain: nothing is unpickled, and no module imported.

    Returns
    -------
    object
        A plain value; of another dict, the numbers, texts and booleans in it; of any other object, a description. None if the
        attempt has not succeeded.
    """
    report = reports.outcome(folder)
    result = {} if report is None or not report.succeeded else report.result
    if "plain" in result:
        return result["plain"]
    if "scalars" in result:
        return scalars.read(result["scalars"])
    return scalars.plain(result.get("scalar", result.get("described")))


def exception(folder: str | None, outcome: str | None, message: str, traceback: str | None) -> BaseException:
    """Return what an attempt raised, or an error of this package if it raised nothing or its type can't be rebuilt here.

    Parameters
    ----------
    folder : str or None
        The attempt folder; None if nothing was launched.
    outcome : str or None
        How it ended.
    message : str
        The message of an error of this package.
    traceback : str or None
        The traceback there; the cause of its own exception.
    """
    if outcome != "error":
        kind = _WITHOUT_EXCEPTION.get(outcome or "", JobFailed)
        ended = kind(f"{message}.")
        if isinstance(ended, (JobCancelled, JobTimeout)) and folder is not None:
            ended.value = _kept_value(folder)
        return ended
    error = (None if folder is None else _own(folder)) or JobFailed(message)
    error.__cause__ = RemoteTraceback(traceback or "")
    return error


def _kept_value(folder: str) -> Any:
    """Return what the method returned after the interrupt; None if it returned nothing, or nothing that can be loaded here."""
    report = reports.outcome(folder)
    if report is None or not report.succeeded:
        return None
    with contextlib.suppress(ResultNotKept):
        return value(folder, 0)
    return None


def _own(folder: str) -> BaseException | None:
    report = reports.outcome(folder)
    error: Any = None
    if report is not None and report.pickled:
        with contextlib.suppress(Exception, SystemExit):
            error = serialization.load(ownership.read(f"{folder}/{attempt.EXCEPTION}"))
    return error if isinstance(error, BaseException) else None
