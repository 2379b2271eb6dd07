"""The extension of Jupyter Server, and a small server only for it: on loopback, with a token, without kernels or files."""

import asyncio
import contextlib
import secrets
import signal
from collections.abc import Callable
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.serverapp import ServerApp
from tornado.ioloop import IOLoop
from traitlets import default
from traitlets.config import Config

from .handlers import HANDLERS


class Loopback(ServerApp):
    """A server for the page only; no configuration of a Jupyter server can open it to others."""

    default_services: Any = ("auth", "security")

    def load_config_file(self, *_: Any, **__: Any) -> None:
        """Read no files; set a login cookie that ends with the browser, and is not sent along with links from other pages."""
        self.update_config(Config(IdentityProvider=Config(cookie_options={"expires_days": None, "samesite": "Strict"})))

    @default("cookie_secret")
    def _secret_of_its_own(self) -> bytes:
        """Return a new secret for signing the login cookie, which becomes invalid with this server."""
        return secrets.token_bytes(32)


class Dashboard(ExtensionApp):
    """The page at ``/bgjobs/``."""

    name = "ipybgjobs"
    extension_url = "/bgjobs/"
    load_other_extensions = False
    serverapp_class = Loopback

    def load_config_file(self, *arguments: Any, **options: Any) -> None:
        """Read an extension's files in a user's own server, but not in `Loopback`, which would adopt them."""
        if not isinstance(self.serverapp, Loopback):
            super().load_config_file(*arguments, **options)

    def initialize_handlers(self) -> None:
        """Add the page to the server."""
        self.handlers.extend(HANDLERS)


def serve(port: int, *, open_browser: bool, listening: Callable[[str], None]) -> None:
    """Serve the page until Ctrl-C.

    Parameters
    ----------
    port : int
        Port to listen on; the next free one if it is in use, any free one if it is 0.
    open_browser : bool
        Whether to open the page in a browser.
    listening : callable
        Called with the page's address, including the token, as soon as it answers.

    Raises
    ------
    SystemExit
        If no port is free.
    """
    token = secrets.token_hex(24)
    arguments = [
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        f"--ServerApp.open_browser={open_browser}",
        f"--IdentityProvider.token={token}",
        "--ServerApp.allow_root=True",
        "--ServerApp.answer_yes=True",
        "--ServerApp.log_level=WARN",
        "--ExtensionApp.log_level=WARN",
    ]
    server: ServerApp = Dashboard.initialize_server(argv=arguments)  # type: ignore[no-untyped-call]

    def begin() -> None:
        _stop_on_signals(server)
        listening(f"http://127.0.0.1:{server.port}{Dashboard.extension_url}?token={token}")

    IOLoop.current().add_callback(begin)
    server.start()


def _stop_on_signals(server: ServerApp) -> None:
    """Stop at Ctrl-C and SIGTERM, even if it comes just before the loop begins to wait, which the server's own handler misses."""
    with contextlib.suppress(NotImplementedError):  # Windows: then the server's own handler does it
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, server.stop)
