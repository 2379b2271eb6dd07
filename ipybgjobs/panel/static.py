"""The static form of a panel or card, above the live one: kept in a saved notebook, and shown in a terminal.

It never reads the store itself; its content is created by a function that is passed in.
"""

import contextlib
import math
import time
import uuid
from collections.abc import Callable
from html import escape
from typing import Any

from IPython.display import publish_display_data

from ..errors import BackgroundJobError

#: Seconds between two refreshes, which mark the notebook as changed: of the table, or of a card while its jobs report progress;
#: and of a card after a job starts or ends.
_REFRESH, _SOON = 10.0, 1.0

Bundle = dict[str, str]


class StaticView:
    """One static form; if it is shown in several places, it is refreshed in all of them.

    Parameters
    ----------
    make : callable
        Creates a bundle of ``text/html`` and ``text/plain``.
    of : str
        What it shows, so that it can be drawn live again: `JOBS`, or `JOB` or `GROUP` with a uid; empty: nothing.
    """

    def __init__(self, make: Callable[[], Bundle], of: str = "") -> None:
        self.make = make
        self._table = of == JOBS
        self._of = f' {MARK}"{escape(of)}"' if of else ""
        self.id = uuid.uuid4().hex[:12]  #: used by the live form to hide it
        _OF_THIS_KERNEL.add(self.id)
        self._published_at: float | None = None
        self._due_at = math.inf

    def publish(self, *, update: bool = False) -> None:
        """Show it, or refresh it where it is shown."""
        before = self._published_at
        self._published_at, self._due_at = time.monotonic(), math.inf  # first: what changes from now on is shown by the next one
        try:
            made = self.make()
            markup = f'<div data-bgjobs="{self.id}"{self._of}>{made["text/html"]}</div>{_HIDE.format(id=self.id)}'
            publish_display_data({**made, "text/html": markup}, transient={"display_id": self.id}, update=update)
        except BaseException:  # what it was to show is not shown yet
            self._published_at, self._due_at = before, time.monotonic() + _SOON
            raise

    def take(self, delta: dict[str, Any] | None) -> bool:
        """Refresh a card soon after a job has changed, and at intervals while jobs report; called at each turn of the feed.

        The table of all jobs is large and shows no progress: it is refreshed at intervals while jobs start and end.

        Returns
        -------
        bool
            Whether it is about to be refreshed.
        """
        if self._published_at is None:
            return False
        if delta is not None:
            self._due_at = min(
                self._due_at, self._published_at + self._pause(changed=bool(delta.get("rows") or delta.get("gone")))
            )
        if time.monotonic() > self._due_at:
            with contextlib.suppress(BackgroundJobError, OSError):  # the panel itself reports the problem
                self.publish(update=True)
        return self._due_at < math.inf

    def _pause(self, *, changed: bool) -> float:
        """Return the seconds from one refresh to the next."""
        if self._table:
            return max(_REFRESH, time.monotonic() + _SOON - (self._published_at or 0)) if changed else math.inf
        return _SOON if changed else _REFRESH


#: The attribute that says what a static form shows, and its words.
MARK = "data-bgjobs-of="
JOBS, JOB, GROUP = "jobs", "job", "group"

_OF_THIS_KERNEL: set[str] = set()


def is_of_this_kernel(static_id: str) -> bool:
    """Return whether a static form was made by this process, so that it has a live widget."""
    return static_id in _OF_THIS_KERNEL


#: Hides the widget below it unless it is alive: a notebook without a kernel then shows no "Loading widget…".
_HIDE = """<style>
.jp-OutputArea-child:has([data-bgjobs='{id}']) + .jp-OutputArea-child:not(:has(.ipybgjobs)) {{ display: none; }}
</style>"""
