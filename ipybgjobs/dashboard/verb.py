"""``jupyter bgjobs dashboard``: the panel in a browser, for people without a notebook open."""

import argparse

from ..errors import InvalidRequest


def run(arguments: argparse.Namespace) -> int:
    """Show every job in a browser, live, until Ctrl-C; the jobs do not need it."""
    try:
        from . import server
    except ImportError as error:
        raise InvalidRequest(
            f"The dashboard needs jupyter-server ({error}): pip install 'ipybgjobs[dashboard]'; %bgjobs and list work without."
        ) from error
    app = server.start(arguments.port, open_browser=not arguments.no_browser)
    token = app.identity_provider.token
    print(f"The jobs: http://127.0.0.1:{app.port}/bgjobs/?token={token}  (Ctrl-C ends this page, and no job)", flush=True)
    app.start()
    return 0
