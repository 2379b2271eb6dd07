"""Describe an exception or a value as text, whatever its own methods do.

A text may have any length: text for a file that others read is cut here, and the log has the full text. Nothing here
raises, except for an interrupt.
"""

import contextlib
from typing import Any, NamedTuple

from ..system.worker import Terminated

#: Longest text that others read, in characters: more than they show, so that no secret is split at the edge of what is shown.
_LONGEST_MESSAGE, _LONGEST_TRACEBACK = 50_000, 300_000

_LONGEST_REPR = 10_000

#: Replaces the middle of a long text.
_GAP = "\n… the middle of this text is omitted here; the job's log has the full text …\n"

#: Longest name of a type, and longest reason, in characters.
_LONGEST_NAME = 500

#: Number of exceptions of a chain that are shown: of those raised last, and of those raised first.
_LAST_RAISED, _FIRST_RAISED = 10, 10

#: Number of exceptions of a group that are shown; the traceback module shows no more either, but processes all.
_MOST_IN_GROUP = 15

# Of the base class, since a subclass may redefine these names.
_TRACEBACK = BaseException.__dict__["__traceback__"]
_CAUSE = BaseException.__dict__["__cause__"]
_CONTEXT = BaseException.__dict__["__context__"]
_SUPPRESSED = BaseException.__dict__["__suppress_context__"]


class OmittedErrors(Exception):  # noqa: N818 - it is not an error, but a placeholder in a chain
    """Placeholder in a chain of exceptions for those that are not shown."""


class ErrorText(NamedTuple):
    """The description of an exception."""

    kind: str  #: its type
    message: str
    traceback: str  #: uncut

    def cut_message(self) -> str:
        """Return its message, cut."""
        return cut(self.message, _LONGEST_MESSAGE)

    def cut_traceback(self) -> str:
        """Return its traceback, cut."""
        return cut(self.traceback, _LONGEST_TRACEBACK)


def error_text(error: BaseException) -> ErrorText:
    """Describe an exception, with its traceback starting at the user's code."""
    begin_at_user_code(error)
    kind, said = name(type(error)), message(error)
    try:
        return ErrorText(kind, said, _formatted(error))
    except Exception as second:
        trouble = f"its full traceback could not be shown: {name(type(second))}"
        return ErrorText(kind, said, f"{_frames(error)}{kind}: {said}\n({trouble})\n")


def _formatted(error: BaseException) -> str:
    import traceback

    shorten_chain(error)
    return "".join(traceback.format_exception(_shortened_group(error)))


def _frames(error: BaseException) -> str:
    import traceback

    with contextlib.suppress(Exception):
        return "Traceback (most recent call last):\n" + "".join(traceback.format_tb(_TRACEBACK.__get__(error)))
    return ""


def begin_at_user_code(error: BaseException) -> None:
    """Make the traceback begin at the user's code."""
    trace = _TRACEBACK.__get__(error)
    while trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith(("ipybgjobs.", "asyncio.")):
        trace = trace.tb_next
    _TRACEBACK.__set__(error, trace)


def clear_frames(error: BaseException) -> None:
    """Clear the traceback's frames to free memory, so that the failure can still be reported."""
    trace = _TRACEBACK.__get__(error)
    while trace is not None:
        with contextlib.suppress(RuntimeError):  # a frame that is still running
            trace.tb_frame.clear()
        trace = trace.tb_next


def shorten_chain(error: BaseException) -> None:
    """Remove the middle of a long chain of causes: formatting ten thousand takes many seconds, and no one reads them."""
    chain, seen = [error], {id(error)}
    while (following := _following(chain[-1])) is not None and id(following) not in seen:
        chain.append(following)
        seen.add(id(following))
    left_out = len(chain) - _LAST_RAISED - _FIRST_RAISED
    if left_out <= 1:
        return
    gap = OmittedErrors(f"{left_out:,} more exceptions in this chain are omitted here")
    gap.__context__ = chain[-_FIRST_RAISED]
    last = chain[_LAST_RAISED - 1]
    _CAUSE.__set__(last, None)  # which suppresses the context
    _SUPPRESSED.__set__(last, False)
    _CONTEXT.__set__(last, gap)


def _following(error: BaseException) -> BaseException | None:
    """Return the exception that a traceback shows before this one."""
    cause: BaseException | None = _CAUSE.__get__(error)
    if cause is not None or _SUPPRESSED.__get__(error):
        return cause
    context: BaseException | None = _CONTEXT.__get__(error)
    return context


def _shortened_group(error: BaseException) -> BaseException:
    """Return a group with only the exceptions that are shown, if the group is large."""
    if not isinstance(error, BaseExceptionGroup) or len(error.exceptions) <= _MOST_IN_GROUP:
        return error
    gap = OmittedErrors(f"{len(error.exceptions) - _MOST_IN_GROUP:,} more exceptions in this group are omitted here")
    shown = BaseExceptionGroup(error.message, [*error.exceptions[: _MOST_IN_GROUP - 1], gap])
    for descriptor in (_TRACEBACK, _CAUSE, _CONTEXT, _SUPPRESSED):
        descriptor.__set__(shown, descriptor.__get__(error))
    return shown


def name(cls: type) -> str:
    """Return the dotted name of a class."""
    try:
        found = cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
        return _begun(str(found))
    except Exception:
        return "a class without a name"


def message(error: BaseException) -> str:
    """Return the message of an exception."""
    try:
        if isinstance(error, SystemExit) and not isinstance(error, Terminated):
            return f"sys.exit({error.code!r})"
        return str(error)
    except BaseException as second:
        return f"<its message could not be shown: {type(second).__name__}>"


def reason(error: BaseException) -> str:
    """Return the type and message of an exception, cut to fit in a sentence."""
    return _begun(f"{name(type(error))}: {message(error)}")


def representation(value: Any) -> str:
    """Return the repr of a value, cut; never raises, whatever the value does."""
    try:
        return repr(value)[:_LONGEST_REPR]
    except BaseException as error:
        return f"<{type(value).__name__}, whose repr raises {type(error).__name__}>"


def _begun(text: str) -> str:
    """Return the beginning of a text, to fit on a line."""
    return text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}…"


def cut(text: str, longest: int) -> str:
    """Omit the middle of a long text, with a note that says so."""
    half = longest // 2
    return text if len(text) <= longest else f"{text[:half]}{_GAP}{text[-half:]}"
