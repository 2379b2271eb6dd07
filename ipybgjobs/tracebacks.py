"""Tracebacks as IPython shows them for the errors of this package and of jobs: the user's own lines and the sentence.

It changes no traceback for longer than it is displayed.
"""

import contextlib
import functools
import os
import sys
import types
from collections.abc import Iterator


def show_only_user_frames(error: BaseException) -> None:
    """Have IPython show an exception of a job, which may be of any class, as those of this package."""
    if "IPython" in sys.modules and not hasattr(error, "_render_traceback_"):
        vars(error)["_render_traceback_"] = functools.partial(rendered, error)  # what IPython asks for


def rendered(error: BaseException) -> list[str]:
    """Return the lines that IPython shows for an error of this package."""
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    assert shell is not None  # it is IPython that asks
    with _only_user_frames(error):
        lines: list[str] = shell.InteractiveTB.structured_traceback(type(error), error, error.__traceback__, tb_offset=0)
    return lines


@contextlib.contextmanager
def _only_user_frames(error: BaseException) -> Iterator[None]:
    """Leave only the user's frames in the traceback of an error, and of the errors behind it, for the time of a display.

    An error behind it that has none is left out: the sentence says what it was. One that was never raised is text from elsewhere.
    """
    whole: list[tuple[BaseException, types.TracebackType | None, BaseException | None, bool]] = []
    each: BaseException | None = error
    try:
        while each is not None and len(whole) < _LONGEST_CHAIN:
            whole.append((each, each.__traceback__, each.__cause__, each.__suppress_context__))
            each.__traceback__ = _user_frames(each.__traceback__)
            behind = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
            if behind is not None and behind.__traceback__ is not None and _user_frames(behind.__traceback__) is None:
                each.__cause__ = behind = None  # which leaves out its context too
            each = behind
        yield
    finally:
        for changed, trace, cause, suppressed in whole:
            changed.__traceback__, changed.__cause__ = trace, cause
            changed.__suppress_context__ = suppressed


#: Most errors, each the cause of the next, that are displayed.
_LONGEST_CHAIN = 20


def _user_frames(trace: types.TracebackType | None) -> types.TracebackType | None:
    """Return a traceback without IPython above the user's code, without this package, and without the libraries below it."""
    frames: list[types.TracebackType] = []
    below = False
    while trace is not None:
        kind = _kind(trace.tb_frame.f_code.co_filename)
        below = below or kind == "ours"
        if kind == "user" or (kind == "library" and frames and not below):
            frames.append(trace)
        trace = trace.tb_next
    found = None
    for each in reversed(frames):
        found = types.TracebackType(found, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return found


_OURS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")


def _kind(file: str) -> str:
    """Return whose a source file is: "ours", a "library"'s, or the "user"'s."""
    if file.startswith(_OURS):
        return "ours"
    parts = file.split(os.sep)
    library = os.path.join(os.path.dirname(os.__file__), "")
    return "library" if file.startswith(("<frozen", library)) or {"site-packages", "dist-packages"} & {*parts} else "user"
