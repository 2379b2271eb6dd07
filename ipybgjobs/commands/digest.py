"""Jobs that finished since the user last looked: one line, printed when the extension is loaded."""

import contextlib
import time
from typing import TYPE_CHECKING, Any

from ..client.client import client
from ..errors import BackgroundJobError
from ..model.records import JobRecord, JobState
from ..model.redaction import cut
from ..state import last_look
from ..store import listing

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

#: Longest title of a job and longest error in the line, in characters.
_TITLE, _ERROR = 30, 40

_AFTER_CELL = "post_run_cell"


def digest() -> str | None:
    """Return one line about the jobs that finished since the last look, and record this look; None if none finished.

    Cancelled jobs are left out: the user did that.
    """
    folder = client().folder()
    database, since = client().database(folder), last_look.read(folder)
    last_look.record(folder, time.time())
    if since is None:
        return None
    counts, failed = listing.ended_since(database, since, 1)
    if not counts:
        return None
    said = ", ".join(f"{counts[state]:,} {state}" for state in JobState if state in counts)
    return f"While you were away: {said}{''.join(map(_named, failed))}. %bgjobs shows them."


def _named(job: JobRecord) -> str:
    error = cut(job.error or "", _ERROR).removesuffix(".")
    return f"; job {job.id} ({cut(job.short_title, _TITLE)}): {error}"


def watch(shell: "InteractiveShell") -> None:
    """Take each cell that ends as a look: the user who runs cells here is not away."""
    shell.events.register(_AFTER_CELL, _look)


def unwatch(shell: "InteractiveShell") -> None:
    """Undo `watch`."""
    with contextlib.suppress(ValueError):  # it was not watched
        shell.events.unregister(_AFTER_CELL, _look)


def _look(*_: Any) -> None:
    with contextlib.suppress(BackgroundJobError):  # the next call says what is wrong with the settings
        record_look()


def record_look() -> None:
    """Record that the user has looked at the jobs."""
    last_look.record(client().folder(), time.time())
