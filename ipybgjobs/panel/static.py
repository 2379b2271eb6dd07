"""The static form of a panel or card, above the live one: kept in a saved notebook, and shown in a terminal.

It never reads the store itself; its content is created by a function that is passed in.
"""

import contextlib
import math
import time
import uuid
from collections.abc import Callable
from typing import Any

from IPython.display import publish_display_data

from ..errors import BackgroundJobError
from ..model.records import JobState

#: Seconds between two refreshes, which mark the notebook as changed: while jobs run, and after one ends.
_REFRESH, _SOON = 30.0, 1.0

Bundle = dict[str, str]


class StaticView:
    """One static form; if it is shown in several places, it is refreshed in all of them.

    Parameters
    ----------
    make : callable
        Creates a bundle of ``text/html`` and ``text/plain``.
    """

    def __init__(self, make: Callable[[], Bundle]) -> None:
        self.make = make
        self.id = uuid.uuid4().hex[:12]  #: used by the live form to hide it
        self._published_at: float | None = None
        self._due_at = math.inf

    def publish(self, *, update: bool = False) -> None:
        """Show it, or refresh it where it is shown."""
        self._published_at, self._due_at = time.monotonic(), math.inf
        made = self.make()
        markup = f'<div data-bgjobs="{self.id}">{made["text/html"]}</div>{_HIDE.format(id=self.id)}'
        publish_display_data({**made, "text/html": markup}, transient={"display_id": self.id}, update=update)

    def take(self, delta: dict[str, Any] | None) -> None:
        """Refresh it soon after a job has finished, otherwise at intervals while jobs change; called at each turn of the feed."""
        if self._published_at is None:
            return
        if delta is not None:
            ended = any(JobState(row[1]).ended for row in delta.get("rows", []))
            self._due_at = min(self._due_at, self._published_at + (_SOON if ended else _REFRESH))
        if time.monotonic() > self._due_at:
            with contextlib.suppress(BackgroundJobError, OSError):  # the panel itself reports the problem
                self.publish(update=True)


#: Hides the widget below it unless it is alive: a notebook without a kernel then shows no "Loading widget…".
_HIDE = """<style>
.jp-OutputArea-child:has([data-bgjobs='{id}']) + .jp-OutputArea-child:not(:has(.ipybgjobs)) {{ display: none; }}
</style>"""
