"""The page, its script and style, and the socket over which a panel talks; all for those who are logged in."""

import contextlib
import json
from typing import Any

from jupyter_server.auth.decorator import authorized, ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado.ioloop import IOLoop
from tornado.web import authenticated
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from .. import client, web
from ..panel.session import Session


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
    """One panel's socket."""

    _session: Session | None = None

    @property
    def ping_timeout(self) -> float:
        """As long as between two pings: tornado takes no longer one."""
        return float(self.ping_interval)

    def set_default_headers(self) -> None:
        """Set none: a socket has no use for those of a page."""

    @ws_authenticated
    @authorized("execute", resource="kernels")  # type: ignore[untyped-decorator]
    async def get(self, *args: Any, **kwargs: Any) -> None:  # type: ignore[override]
        """Open the socket for who is logged in and may run code here, from this very origin."""
        await super().get(*args, **kwargs)

    def open(self, *args: Any, **kwargs: Any) -> None:
        """Send what the panel begins with."""
        super().open(*args, **kwargs)
        loop = IOLoop.current()
        self._session = Session(client.client(), lambda message: loop.add_callback(self._write, message))
        self._write({**self._session.first(), "kind": "first"})

    def _write(self, message: dict[str, Any]) -> None:
        try:
            self.write_message(json.dumps(message, separators=(",", ":")))
        except WebSocketClosedError:
            self.on_close()

    def on_message(self, message: str | bytes) -> None:
        """Take what the panel says."""
        if self._session is not None:
            with contextlib.suppress(ValueError):  # no JSON: it is nobody of ours
                self._session.receive(json.loads(message))

    def on_close(self) -> None:
        """Free what was held."""
        if self._session is not None:
            self._session.close()
            self._session = None


HANDLERS = [
    (r"/bgjobs/?", PageHandler),
    (r"/bgjobs/panel.js", ScriptHandler),
    (r"/bgjobs/panel.css", StyleHandler),
    (r"/bgjobs/socket", SocketHandler),
]
