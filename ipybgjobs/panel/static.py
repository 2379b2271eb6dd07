"""The static form of a panel or card, below which the live one stands: what a saved notebook keeps, and what a terminal shows.

Never reads the store itself; what it shows is made by whoever has it.
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

#: Seconds between two refreshes, since each marks the notebook as changed: while jobs run, and when one ends.
_REFRESH, _SOON = 30.0, 1.0

Bundle = dict[str, str]


class Static:
    """One static form; shown in several places, it is refreshed in all.

    Parameters
    ----------
    make : callable
        Makes a bundle of ``text/html`` and ``text/plain``.
    """

    def __init__(self, make: Callable[[], Bundle]) -> None:
        self.make = make
        self.id = uuid.uuid4().hex[:12]  #: by which the live form hides it
        self._published_at: float | None = None
        self._due_at = math.inf

    def publish(self, *, update: bool = False) -> None:
        """Show it, or make it anew where it is shown."""
        self._published_at, self._due_at = time.monotonic(), math.inf
        made = self.make()
        markup = f'<div data-bgjobs="{self.id}">{made["text/html"]}</div>{_HIDE.format(id=self.id)}'
        publish_display_data({**made, "text/html": markup}, transient={"display_id": self.id}, update=update)

    def take(self, delta: dict[str, Any] | None) -> None:
        """Make it anew soon after something has ended, else now and then while things change; called at each turn of the feed."""
        if self._published_at is None:
            return
        if delta is not None:
            ended = any(JobState(row[1]).ended for row in delta.get("rows", []))
            self._due_at = min(self._due_at, self._published_at + (_SOON if ended else _REFRESH))
        if time.monotonic() > self._due_at:
            with contextlib.suppress(BackgroundJobError, OSError):  # the panel itself says what is wrong
                self.publish(update=True)


#: What stands below it is shown only while it is alive: a notebook without a kernel shows no "Loading widget…".
_HIDE = """<style>
.jp-OutputArea-child:has([data-bgjobs='{id}']) + .jp-OutputArea-child:not(:has(.ipybgjobs)) {{ display: none; }}
</style>"""
