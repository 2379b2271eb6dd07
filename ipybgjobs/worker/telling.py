"""What an exception or a value says of itself, as text, whatever it does when it is asked.

A text may be of any length: where it goes into a file that others read, it is cut here; the log has all of it. Nothing
here raises, but for an interrupt.
"""

import contextlib
from typing import Any, NamedTuple

from ..process.worker import Terminated

#: Longest text that others read, in characters: more than they show, so that a secret at the edge of what is shown is whole.
_LONGEST_MESSAGE, _LONGEST_TRACEBACK = 50_000, 300_000

_LONGEST_REPR = 10_000

#: What stands in the place of the middle of a long text.
_GAP = "\n… the middle of this text is omitted here; the job's log has the full text …\n"

#: Longest name of a type, and longest reason.
_LONGEST_NAME = 500

#: Exceptions of a chain that are shown: of those raised last, and of those raised first.
_LAST_RAISED, _FIRST_RAISED = 10, 10

#: Exceptions of a group that are shown; the traceback module shows no more either, but looks at all.
_MOST_IN_GROUP = 15

# Of the base class, since a class may define these names anew.
_TRACEBACK = BaseException.__dict__["__traceback__"]
_CAUSE = BaseException.__dict__["__cause__"]
_CONTEXT = BaseException.__dict__["__context__"]
_SUPPRESSED = BaseException.__dict__["__suppress_context__"]


class LeftOut(Exception):  # noqa: N818 - it is not an error: it stands in a chain for those that are not shown
    """Stands in a chain of exceptions for those that are not shown."""


class Told(NamedTuple):
    """What is said of an exception."""

    kind: str  #: its type
    message: str
    traceback: str  #: uncut

    def cut_message(self) -> str:
        """What it says, cut."""
        return cut(self.message, _LONGEST_MESSAGE)

    def cut_traceback(self) -> str:
        """Its traceback, cut."""
        return cut(self.traceback, _LONGEST_TRACEBACK)


def tell(error: BaseException) -> Told:
    """Say what an exception says of itself, its traceback from the user's code on."""
    begin_at_user_code(error)
    kind, said = name(type(error)), message(error)
    try:
        return Told(kind, said, _formatted(error))
    except Exception as second:
        trouble = f"its full traceback could not be shown: {name(type(second))}"
        return Told(kind, said, f"{_frames(error)}{kind}: {said}\n({trouble})\n")


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
    """Let the traceback begin where the user's code does."""
    trace = _TRACEBACK.__get__(error)
    while trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith(("ipybgjobs.", "asyncio.")):
        trace = trace.tb_next
    _TRACEBACK.__set__(error, trace)


def let_go_of_frames(error: BaseException) -> None:
    """Let the memory go that the frames of a traceback hold: without it nothing more can be said."""
    trace = _TRACEBACK.__get__(error)
    while trace is not None:
        with contextlib.suppress(RuntimeError):  # a frame that still runs
            trace.tb_frame.clear()
        trace = trace.tb_next


def shorten_chain(error: BaseException) -> None:
    """Take the middle out of a long chain of causes: formatting ten thousand takes many seconds, and nobody reads them."""
    chain, seen = [error], {id(error)}
    while (following := _following(chain[-1])) is not None and id(following) not in seen:
        chain.append(following)
        seen.add(id(following))
    left_out = len(chain) - _LAST_RAISED - _FIRST_RAISED
    if left_out <= 1:
        return
    gap = LeftOut(f"{left_out:,} more exceptions in this chain are omitted here")
    gap.__context__ = chain[-_FIRST_RAISED]
    last = chain[_LAST_RAISED - 1]
    _CAUSE.__set__(last, None)  # which suppresses the context
    _SUPPRESSED.__set__(last, False)
    _CONTEXT.__set__(last, gap)


def _following(error: BaseException) -> BaseException | None:
    """The exception that a traceback shows before this one."""
    cause: BaseException | None = _CAUSE.__get__(error)
    if cause is not None or _SUPPRESSED.__get__(error):
        return cause
    context: BaseException | None = _CONTEXT.__get__(error)
    return context


def _shortened_group(error: BaseException) -> BaseException:
    """A group with as many exceptions as are shown, in the place of a large one."""
    if not isinstance(error, BaseExceptionGroup) or len(error.exceptions) <= _MOST_IN_GROUP:
        return error
    gap = LeftOut(f"{len(error.exceptions) - _MOST_IN_GROUP:,} more exceptions in this group are omitted here")
    shown = BaseExceptionGroup(error.message, [*error.exceptions[: _MOST_IN_GROUP - 1], gap])
    for descriptor in (_TRACEBACK, _CAUSE, _CONTEXT, _SUPPRESSED):
        descriptor.__set__(shown, descriptor.__get__(error))
    return shown


def name(cls: type) -> str:
    """The dotted name of a class."""
    try:
        found = cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
        return _begun(str(found))
    except Exception:
        return "a class without a name"


def message(error: BaseException) -> str:
    """What an exception says."""
    try:
        if isinstance(error, SystemExit) and not isinstance(error, Terminated):
            return f"sys.exit({error.code!r})"
        return str(error)
    except BaseException as second:
        return f"<its message could not be shown: {type(second).__name__}>"


def reason(error: BaseException) -> str:
    """Type and message of an exception, cut to what may stand in a sentence."""
    return _begun(f"{name(type(error))}: {message(error)}")


def representation(value: Any) -> str:
    """The repr of a value, cut; whatever the value does when it is asked."""
    try:
        return repr(value)[:_LONGEST_REPR]
    except BaseException as error:
        return f"<{type(value).__name__}, whose repr raises {type(error).__name__}>"


def _begun(text: str) -> str:
    """The beginning of a text that is to stand on a line."""
    return text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}…"


def cut(text: str, longest: int) -> str:
    """Leave the middle of a long text out, and say so."""
    half = longest // 2
    return text if len(text) <= longest else f"{text[:half]}{_GAP}{text[-half:]}"
