"""``jupyter bgjobs dashboard``: the panel in a browser, for users without an open notebook."""

import argparse
import sys

from ..errors import InvalidRequest


def run(arguments: argparse.Namespace) -> int:
    """Show a live view of all jobs in a browser until Ctrl-C; the jobs do not depend on it.

    Raises
    ------
    InvalidRequest
        If jupyter-server is missing, or this is a notebook's process.
    """
    try:
        from traitlets.config import Application

        from ..panel.dashboard import server
    except ImportError as error:
        raise InvalidRequest(
            f"The dashboard needs jupyter-server ({error}): pip install 'ipybgjobs[dashboard]'; "
            '%bgjobs and "jupyter bgjobs list" work without it.'
        ) from error
    if Application.initialized():  # a kernel, or IPython in a terminal
        raise InvalidRequest(
            "The dashboard must run in its own process: run jupyter bgjobs dashboard in a terminal; here, %bgjobs shows the same."
        )
    print("Starting the dashboard…", file=sys.stderr, flush=True)
    server.serve(arguments.port, open_browser=not arguments.no_browser, listening=_say)
    return 0


def _say(address: str) -> None:
    print(f"Dashboard: {address}  (Ctrl-C stops the dashboard, but no job)", flush=True)
