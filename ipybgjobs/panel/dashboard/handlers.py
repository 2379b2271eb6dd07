"""The page, its script and style, and the socket over which a panel talks; all for those who are logged in."""

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
    """One of the files that the page is made of."""

    kind = "text/html"

    @authenticated
    def get(self) -> None:
        """Send it."""
        self.set_header("Content-Type", f"{self.kind}; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.finish(self.content())

    def content(self) -> str:
        """Return what is sent."""
        return web.read("page.html")

    @property
    def content_security_policy(self) -> str:
        """Nothing is loaded from elsewhere."""
        host = self.request.host
        return (
            "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-src 'self'; "
            f"connect-src 'self' ws://{host} wss://{host}; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
        )


class ScriptHandler(PageHandler):
    """The script."""

    kind = "text/javascript"

    def content(self) -> str:
        """Return the panel's script."""
        return web.script("page")


class StyleHandler(PageHandler):
    """The style sheet."""

    kind = "text/css"

    def content(self) -> str:
        """Return the panel's style, and the page's own."""
        return web.style() + web.read("page.css")


class SocketHandler(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """One panel's socket.

    The pings are tornado's, in seconds. Jupyter Server's, in milliseconds, begin in its `open`, which is not called: their
    time-out is longer than tornado takes, and a shorter one is over before the first ping is sent.
    """

    ping_interval = 30.0
    ping_timeout = 30.0

    _session: Session | None = None

    def initialize(self) -> None:
        """Do what reads the store in a thread, in the order in which it comes."""
        self._executor = ThreadPoolExecutor(1, "ipybgjobs-panel-socket")

    def set_default_headers(self) -> None:
        """Set none: a socket has no use for those of a page."""

    @ws_authenticated
    @authorized("execute", resource="kernels")  # type: ignore[untyped-decorator]
    async def get(self, *args: Any, **kwargs: Any) -> None:  # type: ignore[override]
        """Open the socket for who is logged in and may run code here, from this very origin."""
        await super().get(*args, **kwargs)

    def open(self, *_args: Any, **_kwargs: Any) -> None:
        """Send what the panel begins with."""
        self._loop = IOLoop.current()
        self._loop.run_in_executor(self._executor, self._begin)  # a store that is busy holds nobody else

    def _send(self, message: dict[str, Any]) -> None:
        self._loop.add_callback(self._write, message)

    def _begin(self) -> None:
        try:
            self._session = Session(client.client(), self._send)
            self._session.begin(lambda first: self._send({"kind": "first", "first": first}))
        except BackgroundJobError as error:
            self._send({"kind": "failed", "text": str(error)})
            self._loop.add_callback(self.close)  # the page tries again

    def _write(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(WebSocketClosedError):  # on_close is called, or was
            self.write_message(json.dumps(message, separators=(",", ":")))

    def on_message(self, message: str | bytes) -> None:
        """Take what the panel says."""
        with contextlib.suppress(ValueError):  # not JSON that a panel sends
            self._loop.run_in_executor(self._executor, self._take, json_text.parse(message))

    def _take(self, message: Any) -> None:
        if self._session is not None:
            self._session.receive(message)

    def on_close(self) -> None:
        """Free what was held."""
        self._executor.submit(self._end)
        self._executor.shutdown(wait=False)

    def _end(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None


class SlashHandler(JupyterHandler):
    """The page's address without its last slash, from which it would not find its script."""

    @authenticated
    def get(self) -> None:
        """Go to the page."""
        query = f"?{self.request.query}" if self.request.query else ""
        self.redirect(f"{self.base_url}bgjobs/{query}")


HANDLERS = [
    (r"/bgjobs", SlashHandler),
    (r"/bgjobs/", PageHandler),
    (r"/bgjobs/panel.js", ScriptHandler),
    (r"/bgjobs/panel.css", StyleHandler),
    (r"/bgjobs/socket", SocketHandler),
]
