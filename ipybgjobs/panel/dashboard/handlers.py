"""The page, its script and style, and the socket of a panel; all require a login."""

import contextlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from jupyter_server.auth.decorator import authorized, ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado.ioloop import IOLoop
from tornado.web import authenticated
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from ...client import client
from ...errors import BackgroundJobError
from ...model import json_text
from .. import web
from ..session import Session


class PageHandler(JupyterHandler):
    """One of the page's files."""

    kind = "text/html"

    @authenticated
    def get(self) -> None:
        """Send the file."""
        self.set_header("Content-Type", f"{self.kind}; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.finish(self.content())

    def content(self) -> str:
        """Return the content to send."""
        return web.read("page.html")

    @property
    def content_security_policy(self) -> str:
        """A policy that loads nothing from elsewhere."""
        host = self.request.host
        return (
            "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-src 'self'; "
            f"connect-src 'self' ws://{host} wss://{host}; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
        )


class ScriptHandler(PageHandler):
    """The page's script."""

    kind = "text/javascript"

    def content(self) -> str:
        """Return the panel's script."""
        return web.script("page")


class StyleHandler(PageHandler):
    """The page's style sheet."""

    kind = "text/css"

    def content(self) -> str:
        """Return the panel's style followed by the page's own."""
        return web.style() + web.read("page.css")


class SocketHandler(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """One panel's socket.

    The pings are tornado's, in seconds. Those of Jupyter Server, in milliseconds, begin in its `open`, which is not called:
    their timeout is longer than tornado accepts, and a shorter one expires before the first ping is sent.
    """

    ping_interval = 30.0
    ping_timeout = 30.0

    _session: Session | None = None

    def initialize(self) -> None:
        """Set up a thread for everything that reads the store, in order of arrival."""
        self._executor = ThreadPoolExecutor(1, "ipybgjobs-panel-socket")

    def set_default_headers(self) -> None:
        """Set none: a socket does not need the headers of a page."""

    @ws_authenticated
    @authorized("execute", resource="kernels")  # type: ignore[untyped-decorator]
    async def get(self, *args: Any, **kwargs: Any) -> None:  # type: ignore[override]
        """Open the socket for logged-in users who may run code here, only from the same origin."""
        await super().get(*args, **kwargs)

    def open(self, *_args: Any, **_kwargs: Any) -> None:
        """Send the panel's initial content."""
        self._loop = IOLoop.current()
        self._loop.run_in_executor(self._executor, self._begin)  # a busy store must not block others

    def _send(self, message: dict[str, Any]) -> None:
        self._loop.add_callback(self._write, message)

    def _begin(self) -> None:
        try:
            self._session = Session(client.client(), self._send)
            self._session.begin(lambda first: self._send({"kind": "first", "first": first}))
        except BackgroundJobError as error:
            self._send({"kind": "failed", "text": str(error)})
            self._loop.add_callback(self.close)  # the page will retry

    def _write(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(WebSocketClosedError):  # on_close was or will be called
            self.write_message(json.dumps(message, separators=(",", ":")))

    def on_message(self, message: str | bytes) -> None:
        """Handle a message of the panel."""
        with contextlib.suppress(ValueError):  # not the JSON of a panel
            self._loop.run_in_executor(self._executor, self._take, json_text.parse(message))

    def _take(self, message: Any) -> None:
        if self._session is not None:
            self._session.receive(message)

    def on_close(self) -> None:
        """Release the session's resources."""
        self._executor.submit(self._end)
        self._executor.shutdown(wait=False)

    def _end(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None


class SlashHandler(JupyterHandler):
    """The page's address without its final slash, from which it would not find its script."""

    @authenticated
    def get(self) -> None:
        """Redirect to the page."""
        query = f"?{self.request.query}" if self.request.query else ""
        self.redirect(f"{self.base_url}bgjobs/{query}")


HANDLERS = [
    (r"/bgjobs", SlashHandler),
    (r"/bgjobs/", PageHandler),
    (r"/bgjobs/panel.js", ScriptHandler),
    (r"/bgjobs/panel.css", StyleHandler),
    (r"/bgjobs/socket", SocketHandler),
]
