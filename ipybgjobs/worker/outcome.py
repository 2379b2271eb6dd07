"""What is written about an attempt's end: the result whole, or the exception with its traceback.

Never raises an error of a user's object that is written; an interrupt passes.
"""

import contextlib
from typing import Any

from .. import attempt, durations, errors, plain

#: A plain result up to this size stands in the outcome itself.
_INLINE = 65536

_LONGEST_REPR = 10_000


def succeeded(folder: str, value: Any) -> dict[str, Any]:
    """Keep a return value; one that can't be kept leaves its repr, and the reason."""
    if plain.is_plain(value) and (not isinstance(value, (str, list, dict)) or _small(value)):
        return {"status": "succeeded", "result": {"plain": value}}
    try:
        content = plain.dump(value)
        attempt.write_whole(f"{folder}/{attempt.RESULT}", content)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        return {"status": "succeeded", "result": {"lost": reason, "type": _name(type(value)), "repr": representation(value)}}
    return {"status": "succeeded", "result": {"pickled": attempt.RESULT}}


def kept_apart(values: dict[str, Any]) -> dict[str, Any]:
    """Values of which each stands for itself: in the place of one that can't be kept, the error that says so."""
    found = dict(values)
    for name, value in values.items():
        try:
            plain.dump(value)
        except Exception as error:
            reason = f"{name}, a {_name(type(value))}, can't be kept: {type(error).__name__}: {error}"
            found[name] = errors.ResultNotKept(reason, representation(value))
    return found


def _small(value: str | list[Any] | dict[str, Any]) -> bool:
    return len(value) < _INLINE and len(repr(value)) < _INLINE


def failed(folder: str, error: BaseException) -> dict[str, Any]:
    """Keep an exception: its names for the retry rules, its text, and itself where it can be pickled."""
    import traceback

    begin_at_user_code(error)
    outcome: dict[str, Any] = {
        "status": "error",
        "type": _name(type(error)),
        "names": [name for cls in type(error).__mro__ for name in {cls.__name__, _name(cls)}],
        "message": message(error),
        "traceback": "".join(traceback.format_exception(error)),
        "pickled": _keep_exception(folder, error),
    }
    if isinstance(error, errors.CellFailed):
        outcome["names"] += _names_of_builtin(error.ename)
    if isinstance(error, (errors.Fail, errors.JobNotAllowed)):
        outcome["fatal"] = True
    if isinstance(error, errors.Retry):
        outcome |= {"asked": True, "after": _after(error)}
    return outcome


def _names_of_builtin(name: str) -> list[str]:
    """An exception of another process, and what it is a kind of, for the retry rules."""
    import builtins

    found = getattr(builtins, name, None)
    bases = found.__mro__ if isinstance(found, type) and issubclass(found, BaseException) else ()
    return [name, *(base.__name__ for base in bases[1:])]


def _after(error: errors.Retry) -> float | None:
    try:
        return None if error.after is None else durations.seconds(error.after, "after")
    except ValueError:
        return None  # the policy's delay, since the given one says nothing


def _keep_exception(folder: str, error: BaseException) -> bool:
    try:
        content = plain.dump(error.with_traceback(None))
        attempt.write_whole(f"{folder}/{attempt.EXCEPTION}", content)
    except BaseException:
        return False
    return True


def begin_at_user_code(error: BaseException) -> None:
    """Let the traceback begin where the user's code does."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith(("ipybgjobs.", "asyncio.")):
        trace = trace.tb_next
    error.__traceback__ = trace


def let_go_of_frames(error: BaseException) -> None:
    """Let the memory go that the frames of a traceback hold: without it nothing more can be said."""
    trace = error.__traceback__
    while trace is not None:
        with contextlib.suppress(RuntimeError):  # a frame that still runs
            trace.tb_frame.clear()
        trace = trace.tb_next


def _name(cls: type) -> str:
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def message(error: BaseException) -> str:
    """What an exception says, whatever it does when it is asked."""
    try:
        return f"sys.exit({error.code!r})" if isinstance(error, SystemExit) else str(error)
    except BaseException as second:
        return f"<its message can't be shown: {type(second).__name__}>"


def representation(value: Any) -> str:
    """The repr of a value, cut; whatever the value does when it is asked."""
    try:
        return repr(value)[:_LONGEST_REPR]
    except BaseException as error:
        return f"<{type(value).__name__}, whose repr raises {type(error).__name__}>"
