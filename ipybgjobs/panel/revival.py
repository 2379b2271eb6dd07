"""Bring saved cards and panels of a reopened notebook back to life: the widgets that they were belong to a kernel that is gone.

A page can't draw a widget again whose kernel has ended. So `show` displays one invisible widget of this kernel, which finds the
static forms in the notebook and draws each of them live.
"""

from collections.abc import Callable
from typing import Any

import anywidget
import traitlets
from IPython.display import publish_display_data

from ..client import client as client_module
from ..errors import BackgroundJobError
from . import static, web
from .session import Session
from .widget import LIVE, busy, free_of_cells

#: Most live views of one notebook.
_MOST = 500


class Revival(anywidget.AnyWidget):
    """The invisible widget: a session for each static form that its page has found."""

    _esm = web.script("revive")
    _css = web.style()
    fallback = traitlets.Unicode().tag(sync=True)

    def __init__(self) -> None:
        super().__init__()
        self._sessions: dict[str, Session] = {}
        self.on_msg(lambda _, content, __: self._receive(content))
        free_of_cells(self)

    def _receive(self, content: Any) -> None:
        key = content.get("key") if isinstance(content, dict) else None
        if not isinstance(key, str):
            return
        if "of" in content:
            self._revive(key, str(content["of"]), str(content.get("id")))
        elif content.get("close"):
            self._close(key)
        elif key in self._sessions:
            self._sessions[key].receive(content.get("message"))

    def _revive(self, key: str, of: str, static_id: str) -> None:
        """Begin a session for a static form, unless it has a live widget of this kernel below it, or its jobs are gone."""
        if static.is_of_this_kernel(static_id):
            return
        if len(self._sessions) >= _MOST:
            self.send({"key": key, "gone": True})
            return
        try:
            session = _session(of, lambda message: self.send({"key": key, "message": message}))
            self._sessions[key] = session
            session.begin(lambda first: self.send({"key": key, "first": first}))
        except BackgroundJobError:  # what it shows was removed, or is in another store
            self._close(key)
            self.send({"key": key, "gone": True})

    def _close(self, key: str) -> None:
        session = self._sessions.pop(key, None)
        if session is not None:
            session.close()

    def close(self) -> None:
        """End all sessions, and close the widget."""
        for key in list(self._sessions):
            self._close(key)
        super().close()


def _session(of: str, send: Callable[[dict[str, Any]], None]) -> Session:
    """Return the session of a panel, a job or a group, by the words in its static form."""
    kind, _, uid = of.partition(" ")
    client = client_module.client()
    only = client.job(uid).id if kind == static.JOB else None
    group = client.group(uid).id if kind == static.GROUP else None
    return Session(client, send, only=only, group=group, busy=busy)


def show() -> None:
    """Bring the saved cards of this kernel's notebook back to life."""
    _shown[:] = _shown if _shown and _shown[0].comm is not None else [Revival()]
    form = static.StaticView(lambda: {"text/html": "", "text/plain": ""})
    form.publish()
    view = {"version_major": 2, "version_minor": 0, "model_id": _shown[0].model_id}
    publish_display_data({LIVE: view, "text/plain": ""})


_shown: list[Revival] = []
