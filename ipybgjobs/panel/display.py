"""Showing the panel or a card in a cell: first a static table, which a saved notebook keeps, then the live widget.

In a terminal, and where a kernel has no frontend for widgets, the static form is what there is.
"""

import contextlib
import math
import time
import uuid
from collections.abc import Callable
from typing import Any

from IPython.core.getipython import get_ipython
from IPython.display import publish_display_data

from .. import client as client_module
from ..errors import BackgroundJobError
from ..models import JobState

#: Seconds between two refreshes of a static table, since each marks the notebook as changed: while jobs run, and when one ends.
_REFRESH, _SOON = 30.0, 1.0

_LIVE = "application/vnd.jupyter.widget-view+json"

_Bundle = dict[str, str]


def show(static: Callable[[], _Bundle], job: int | None = None) -> None:
    """Show what is static, and, in a kernel, the live widget below; the static one then hides itself.

    Parameters
    ----------
    static : callable
        Makes a bundle of ``text/html`` and ``text/plain``.
    job : int, optional
        The one job to show; by default all.
    """
    if not _in_kernel():
        publish_display_data(static())
        return
    key = client_module.client().folder().path, job
    if key not in _shown or _shown[key].is_closed():
        _shown[key] = _Shown(static, job)
    _shown[key].show()


def _in_kernel() -> bool:
    return getattr(get_ipython(), "kernel", None) is not None


class _Shown:
    """A panel or card of this kernel; shown again, it is one more view of the same, so that nothing is held twice."""

    def __init__(self, static: Callable[[], _Bundle], job: int | None) -> None:
        from .widget import Panel

        self._static = static
        self._id = uuid.uuid4().hex[:12]
        self._published_at = 0.0
        self._due_at = math.inf  # when the static form is made anew
        self._panel = Panel(job, fallback=self._id, on_turn=self._take)

    def show(self) -> None:
        self._publish(update=False)
        view = {"version_major": 2, "version_minor": 0, "model_id": self._panel.model_id}
        publish_display_data({_LIVE: view, "text/plain": ""})

    def _publish(self, *, update: bool) -> None:
        self._published_at, self._due_at = time.monotonic(), math.inf
        made = self._static()
        markup = _HIDE.format(id=self._id) + f'<div data-bgjobs="{self._id}">{made["text/html"]}</div>'
        publish_display_data({**made, "text/html": markup}, transient={"display_id": self._id}, update=update)

    def _take(self, delta: dict[str, Any] | None) -> None:
        """Make the static form anew: soon after something has ended, else now and then while things change."""
        if delta is not None:
            ended = any(JobState(row[1]).ended for row in delta.get("rows", []))
            self._due_at = min(self._due_at, self._published_at + (_SOON if ended else _REFRESH))
        if time.monotonic() > self._due_at:
            with contextlib.suppress(BackgroundJobError, OSError):  # the panel itself says what is wrong
                self._publish(update=True)

    def is_closed(self) -> bool:
        """Whether somebody has closed the widget, as ``ipywidgets.Widget.close_all()`` does."""
        return self._panel.comm is None


_shown: dict[tuple[str, int | None], _Shown] = {}

#: What stands below a static table is shown only while it is alive: a notebook without a kernel shows no "Loading widget…".
_HIDE = """<style>
.jp-OutputArea-child:has([data-bgjobs='{id}']) + .jp-OutputArea-child:not(:has(.ipybgjobs)) {{ display: none; }}
</style>"""
