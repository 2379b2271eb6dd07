"""How commands and options are written where one is: in a notebook, in a terminal or in a script; messages name what works there.

A process is a script until its first skin says otherwise: the extension that provides the magics, or the command line.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum


class Surface(StrEnum):
    """Where a person types; the value is the command before a verb."""

    NOTEBOOK = "%bgjobs"
    TERMINAL = "jupyter bgjobs"
    SCRIPT = "bg"


_where = Surface.SCRIPT
_with_flags = False


def use(where: Surface) -> Surface:
    """Declare where a person types, and return what was declared before."""
    global _where
    before, _where = _where, where
    return before


@contextmanager
def flags() -> Iterator[None]:
    """Write options as a line has them, ``--after-any``, as long as what was typed is a line and not a call."""
    global _with_flags  # noqa: PLW0603 - one a process
    before, _with_flags = _with_flags, True
    try:
        yield
    finally:
        _with_flags = before


def is_notebook() -> bool:
    """Return whether the magics are there."""
    return _where is Surface.NOTEBOOK


def command(verb: str, call: str | None = None) -> str:
    """Return a command as it is typed here, in backticks.

    Parameters
    ----------
    verb : str
        The verb, with its arguments: ``show 12``.
    call : str, optional
        What a script writes instead: ``bg.job(12)``; by default a terminal's command, since the verb is not a function.

    Examples
    --------
    >>> command("list", "bg.jobs()")
    '`bg.jobs()`'
    >>> command("doctor")
    '`jupyter bgjobs doctor`'
    """
    if _where is Surface.SCRIPT:
        return f"`{call or f'{Surface.TERMINAL} {verb}'}`"
    return f"`{_where} {verb}`"


def submit_command() -> str:
    """Return the command that submits a job."""
    return "%bgjob" if _where is Surface.NOTEBOOK else f"{Surface.TERMINAL} submit"


def option(name: str, value: str | None = None) -> str:
    """Return an option of a submit as it is typed here: ``--on-duplicate existing``, or ``on_duplicate="existing"``.

    Parameters
    ----------
    name : str
        The keyword.
    value : str, optional
        Its value, a text; by default only the option is named.
    """
    if _with_flags:
        flag = "--" + name.replace("_", "-")
        return flag if value is None else f"{flag} {value}"
    return name if value is None else f'{name}="{value}"'
