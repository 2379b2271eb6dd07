"""Record an attempt's end: the complete result, or the exception with its traceback.

Never raises an error of the user's objects that it writes; an interrupt passes through.
"""

from typing import Any

from .. import errors
from ..model import scalars, serialization
from ..state import attempt, current_job
from ..system import private_file
from ..system.worker import Terminated
from . import descriptions
from .descriptions import ErrorText

#: A plain result up to this size is stored in the outcome itself.
_INLINE = 65536

#: Largest number of names of a type and its bases that are kept.
_MOST_NAMES = 200


def succeeded(folder: str, value: Any) -> dict[str, Any]:
    """Save a return value; for one that can't be saved, record its repr and the reason."""
    if serialization.is_plain(value) and (not isinstance(value, (str, list, dict)) or _small(value)):
        return {"status": "succeeded", "result": {"plain": value}}
    try:
        content = serialization.dump(value)
        private_file.write_whole(f"{folder}/{attempt.RESULT}", content)
    except Terminated:
        raise
    except (Exception, SystemExit) as error:
        lost = {
            "lost": descriptions.reason(error),
            "type": descriptions.name(type(value)),
            "repr": descriptions.representation(value),
        }
        return {"status": "succeeded", "result": lost}
    return {"status": "succeeded", "result": {"pickled": attempt.RESULT, **_without_pickle(value)}}


def _without_pickle(value: Any) -> dict[str, Any]:
    """Return what a table of jobs shows of a pickled value: the plain values in a dict, a number, or a description."""
    try:
        if isinstance(value, dict):
            from ..model import redaction  # only where a value is pickled, which is then displayed too

            found = scalars.of(value)
            secret = redaction.secret_names(found, current_job.secret_names())
            return {"scalars": redaction.shown_scalars(found, secret, current_job.hidden())}
        one = scalars.plain(value)
        return {"scalar": one} if one is not None else {"described": serialization.describe(value)}
    except Terminated:
        raise
    except (Exception, SystemExit):  # an object may do anything when it is looked at
        return {}


def kept_apart(values: dict[str, Any]) -> dict[str, Any]:
    """Return values that are saved one by one; a value that can't be saved is replaced by an error that says so."""
    found = dict(values)
    for name, value in values.items():
        try:
            serialization.dump(value)
        except Terminated:
            raise
        except (Exception, SystemExit) as error:
            reason = f"{name} ({descriptions.name(type(value))}) could not be saved: {descriptions.reason(error)}"
            found[name] = errors.ResultNotKept(reason, descriptions.representation(value))
    return found


def _small(value: str | list[Any] | dict[str, Any]) -> bool:
    return len(value) < _INLINE and len(repr(value)) < _INLINE


def failed(folder: str, error: BaseException, told: ErrorText) -> dict[str, Any]:
    """Save an exception: its names for the retry policy, its text, and the object itself if it can be pickled."""
    outcome: dict[str, Any] = {
        "status": "error",
        "type": told.kind,
        "names": _names(type(error)),
        "message": told.cut_message(),
        "traceback": told.cut_traceback(),
        "pickled": _keep_exception(folder, error),
    }
    if isinstance(error, errors.CellFailed):
        outcome["names"] += _names_of_builtin(error.ename)
    if isinstance(error, (errors.Fail, errors.JobNotAllowed)):
        outcome["fatal"] = True
    if isinstance(error, errors.Retry):
        outcome |= {"asked": True, "after": _after(error)}
    return outcome


def _names(kind: type[BaseException]) -> list[str]:
    """Return the names of a type and its bases, bare and dotted."""
    found = [name for cls in type.mro(kind) for name in {cls.__name__, descriptions.name(cls)}]
    return found[:_MOST_NAMES]


def _names_of_builtin(name: str) -> list[str]:
    """Return the names of an exception of another process and of its bases, for the retry policy."""
    import builtins

    found = getattr(builtins, name, None)
    bases = found.__mro__ if isinstance(found, type) and issubclass(found, BaseException) else ()
    return [name, *(base.__name__ for base in bases[1:])]


def _after(error: errors.Retry) -> float | None:
    if error.after is None:
        return None
    try:
        from ..model import durations

        return durations.seconds(error.after, "after")
    except (ValueError, ImportError):
        return None  # the policy's delay, since the given one is not valid, or can't be read after a change of the root


def _keep_exception(folder: str, error: BaseException) -> bool:
    try:
        content = serialization.dump(error.with_traceback(None))
        private_file.write_whole(f"{folder}/{attempt.EXCEPTION}", content)
    except BaseException:
        return False
    return True
