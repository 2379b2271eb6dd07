"""The extension of Jupyter Server, and a small server for it alone: on loopback, with a token, without kernels or files."""

import secrets
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.serverapp import ServerApp

from .handlers import HANDLERS


class Loopback(ServerApp):
    """A server of nothing but the page; no configuration of a Jupyter server can open it to others."""

    default_services: Any = ("auth", "security")

    def load_config_file(self, *_: Any, **__: Any) -> None:
        """Read none."""


class Dashboard(ExtensionApp):
    """The page at ``/bgjobs/``."""

    name = "ipybgjobs"
    extension_url = "/bgjobs/"
    load_other_extensions = False
    serverapp_class = Loopback

    def initialize_handlers(self) -> None:
        """Add the page to the server."""
        self.handlers.extend(HANDLERS)


def start(port: int, *, open_browser: bool) -> ServerApp:
    """Make the server, which listens from here on.

    Parameters
    ----------
    port : int
        Where it listens; the next free one if it is taken, any free one if it is 0.
    open_browser : bool
        Whether to show the page.

    Raises
    ------
    SystemExit
        If no port is free.
    """
    arguments = [
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        f"--ServerApp.open_browser={open_browser}",
        f"--IdentityProvider.token={secrets.token_hex(24)}",
        "--ServerApp.allow_root=True",
        "--ServerApp.answer_yes=True",
        "--ServerApp.log_level=WARN",
        "--ExtensionApp.log_level=WARN",
    ]
    server: ServerApp = Dashboard.initialize_server(argv=arguments)  # type: ignore[no-untyped-call]
    return server
