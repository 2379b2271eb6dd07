"""Show the panel or a card in a cell, any number of times: with one widget for each, so that no state is kept twice."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from IPython.core.getipython import get_ipython
from IPython.display import publish_display_data

from ..client import client as client_module
from .static import Bundle

if TYPE_CHECKING:
    from .widget import Panel


def show(make: Callable[[], Bundle], job: int | None = None, group: int | None = None) -> None:
    """Show the static form and, in a kernel, the live widget below it; the static form then hides itself.

    Parameters
    ----------
    make : callable
        Creates the static form: a bundle of ``text/html`` and ``text/plain``.
    job : int, optional
        The only job to show; all by default.
    group : int, optional
        The only group to show.
    """
    if getattr(get_ipython(), "kernel", None) is None:  # a terminal: no widget modules are loaded
        publish_display_data(make())
        return
    from .widget import Panel

    key = client_module.client().folder().path, job, group
    if key not in _shown or _shown[key].comm is None:  # closed, for example by ``ipywidgets.Widget.close_all()``
        _shown[key] = Panel(job, group=group, make=make)
    _shown[key].show()


_shown: dict[tuple[str, int | None, int | None], "Panel"] = {}
