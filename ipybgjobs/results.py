"""Reading what an attempt left behind: the return value, or what it raised; never an open question, always a value or an error.

Workers load it to call a hook, so it imports next to nothing.
"""

import contextlib
from typing import Any

from . import attempt, ownership, plain, redaction
from .errors import JobCancelled, JobFailed, JobLost, JobNotAllowed, JobTimeout, RemoteTraceback, ResultNotKept

#: What is raised where an attempt left no exception, by its outcome.
_WITHOUT_EXCEPTION = {"cancelled": JobCancelled, "timeout": JobTimeout, "lost": JobLost, "denied": JobNotAllowed}


def value(folder: str, job_id: int) -> Any:
    """Return what the method returned.

    Parameters
    ----------
    folder : str
        The attempt folder.
    job_id : int
        For messages.

    Raises
    ------
    ResultNotKept
        If the value could not be kept, or can't be loaded here.
    """
    outcome = attempt.read_json(folder, attempt.OUTCOME) or {}
    result = outcome.get("result", {})
    if "plain" in result:
        return result["plain"]
    if "lost" in result:
        raise ResultNotKept(
            f"job {job_id} has succeeded, but its return value, a {result['type']}, can't be kept: {result['lost']}. "
            f"Its repr is {redaction.cut(result['repr'], 200)}",
            result["repr"],
        )
    try:
        return plain.load(ownership.read(f"{folder}/{attempt.RESULT}"))
    except Exception as problem:
        raise ResultNotKept(
            f"job {job_id} has succeeded, but its return value can't be loaded here: {type(problem).__name__}: {problem}."
        ) from problem


def exception(folder: str | None, outcome: str | None, message: str, traceback: str | None) -> BaseException:
    """Return what an attempt raised, or one of our errors where it raised nothing or its type can't be rebuilt here.

    Parameters
    ----------
    folder : str or None
        The attempt folder; None where nothing was launched.
    outcome : str or None
        How it ended.
    message : str
        What one of our errors says.
    traceback : str or None
        The traceback there; the cause of its own exception.
    """
    if outcome != "error":
        return _WITHOUT_EXCEPTION.get(outcome or "", JobFailed)(f"{message}.")
    error = None if folder is None else _own(folder)
    error = error or JobFailed(message)
    error.__cause__ = RemoteTraceback(traceback or "")
    return error


def _own(folder: str) -> BaseException | None:
    outcome = attempt.read_json(folder, attempt.OUTCOME) or {}
    error: Any = None
    if outcome.get("pickled"):
        with contextlib.suppress(Exception):
            error = plain.load(ownership.read(f"{folder}/{attempt.EXCEPTION}"))
    return error if isinstance(error, BaseException) else None
