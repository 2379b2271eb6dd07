"""The panel and the card of one job as notebook widgets; live even while a cell runs.

They need a kernel; in a terminal, the magics show text instead.
"""

import contextlib
import time
import weakref
from collections.abc import Callable
from typing import Any

import anywidget
import traitlets
from IPython.core.getipython import get_ipython
from IPython.display import publish_display_data

from ..client import client as client_module
from ..errors import BackgroundJobError
from . import overview, static, web
from .session import Session
from .static import Bundle, StaticView

#: Seconds for which the initial content is current.
_FRESH = 0.2

#: The type of a widget in an output.
LIVE = "application/vnd.jupyter.widget-view+json"


class Panel(anywidget.AnyWidget):
    """A live view of all jobs, to be displayed alone or among other widgets.

    Parameters
    ----------
    job : int, optional
        Id of the only job to show, which makes it a card.
    group : int, optional
        Id of the only group to show, which makes it a card of the group.
    make : callable, optional
        Creates the static form, shown where the widget is not alive; by default the newest jobs as a table, or a card.

    Raises
    ------
    UnknownJob
        If there is no such job.
    StoreError
        If the state folder can't be used.

    Examples
    --------
    >>> panel = ipybgjobs.Panel()  # shown where it is the last line of a cell
    >>> panel.close()
    """

    _esm = web.script("widget")
    _css = web.style()
    first = traitlets.Dict().tag(sync=True)  #: initial content
    fallback = traitlets.Unicode().tag(sync=True)  #: id of the static form, which is hidden while the panel is alive

    def __init__(self, job: int | None = None, *, group: int | None = None, make: Callable[[], Bundle] | None = None) -> None:
        self._static_view = StaticView(make or _static_form(job, group), _shows(job, group))
        session = Session(
            client_module.client(),
            _sender(weakref.ref(self)),
            only=job,
            group=group,
            busy=busy,
            on_changes=self._static_view.take,
        )
        appear = super().__init__
        session.begin(lambda first: appear(first=first, fallback=self._static_view.id))
        self._session = session
        self.on_msg(lambda _, content, __: session.receive(content))
        free_of_cells(self)

    def show(self) -> None:
        """Display it: the static form, and in a kernel the live one below it."""
        if getattr(get_ipython(), "kernel", None) is None:
            publish_display_data(self._static_view.make())
            return
        self._static_view.publish()
        self._refresh()
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        publish_display_data({LIVE: view, "text/plain": ""})

    _ipython_display_ = show

    def _refresh(self) -> None:
        """Let the next view begin with what is so now, which may no longer be what the first one saw."""
        if time.time() - self.first["now"] < _FRESH:
            return
        with contextlib.suppress(BackgroundJobError, OSError):  # the view itself reports the problem
            self._session.again(lambda first: self.set_trait("first", first))

    def close(self) -> None:
        """Close the panel, and release its resources."""
        if hasattr(self, "_session"):
            self._session.close()
        super().close()


def _static_form(job: int | None, group: int | None) -> Callable[[], Bundle]:
    if job is None and group is None:
        return overview.bundle
    if group is not None:
        jobs = client_module.client().group(group)
        return lambda: {"text/html": jobs.to_html(), "text/plain": repr(jobs)}
    handle = client_module.client().job(job or 0)
    return lambda: {"text/html": handle.to_html(), "text/plain": repr(handle)}


def _shows(job: int | None, group: int | None) -> str:
    """Return what the static form says that it shows."""
    if group is not None:
        return f"{static.GROUP} {client_module.client().group(group).uid}"
    return static.JOBS if job is None else f"{static.JOB} {client_module.client().job(job).uid}"


def _sender(panel: "weakref.ref[Panel]") -> Callable[[dict[str, Any]], None]:
    def send(message: dict[str, Any]) -> None:
        widget = panel()
        if widget is not None and widget.comm is not None:
            widget.send(message)

    return send


def free_of_cells(widget: anywidget.AnyWidget) -> None:
    """Let clicks arrive while a cell runs.

    ipykernel 7.4 sends a frontend's replies to the subshell that sent last: the main one, which is busy. None opts out; other
    versions ignore it. A test with a real kernel fails if a click has to wait for a cell.
    """
    with contextlib.suppress(AttributeError):
        widget.comm._reply_subshell_for = None  # noqa: SLF001 - it has no public name


class _Cells:
    """Tracks whether a cell is running: then a kernel without subshells receives no messages, and silence means nothing."""

    def __init__(self) -> None:
        self._running = 1  # this module is imported by a cell; a cell may run another one
        shell = get_ipython()
        if shell is not None:
            shell.events.register("pre_execute", self._begin)
            shell.events.register("post_execute", self._end)

    def _begin(self) -> None:
        self._running += 1

    def _end(self) -> None:
        self._running = max(0, self._running - 1)

    def is_one_running(self) -> bool:
        return self._running > 0


_CELLS = _Cells()


def busy() -> bool:
    """Return whether a cell is running."""
    return _CELLS.is_one_running()
