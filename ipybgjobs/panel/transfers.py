"""The rows that are on their way to the views of one panel, in parts: many are too many for one message."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from ..store.database import Database
from . import board

#: Seconds between two parts.
_PAUSE = 0.25


class Transfer(Struct, frozen=True, eq=False):
    """Rows on their way to one view."""

    view: str


class RowTransfers:
    """At most one transfer to each view; the next one to the same view ends it.

    Parameters
    ----------
    open_database : callable
        Opens the store for the thread that calls it.
    send : callable
        Sends a message to the panel.
    talks : Lock
        Held while something is read and sent: data is sent in the order in which it is read.
    """

    def __init__(
        self, open_database: Callable[[], Database], send: Callable[[dict[str, Any]], None], talks: threading.Lock
    ) -> None:
        self._open = open_database
        self._send = send
        self._talks = talks
        self._lock = threading.Lock()
        self._under_way: dict[str, Transfer] = {}  # by view

    def is_under_way(self, view: str) -> bool:
        """Return whether rows are on their way to a view."""
        return view in self._under_way

    @contextlib.contextmanager
    def begin(self, view: str) -> Iterator[Transfer]:
        """Note that rows are on their way to a view, until the block ends."""
        mine = Transfer(view)
        with self._lock:
            self._under_way[view] = mine
        try:
            yield mine
        finally:
            with self._lock:
                if self._under_way.get(view) is mine:
                    del self._under_way[view]

    def stop(self, view: str) -> None:
        """End the transfer to a view, which sees nothing or has gone."""
        with self._lock:
            self._under_way.pop(view, None)

    def stop_all(self) -> None:
        """End all transfers."""
        with self._lock:
            self._under_way.clear()

    def send_older(self, transfer: Transfer, before: int, have: int) -> None:
        """Send the rows below an id, in parts, up to as many as a panel holds, or until the transfer is stopped."""
        whole = False
        while not whole:
            time.sleep(_PAUSE)
            with self._talks:
                if self._under_way.get(transfer.view) is not transfer:
                    return
                rows = board.older(self._open(), before, max(0, min(board.CHUNK, board.MOST - have)))
                have += len(rows)
                whole = not rows or have >= board.MOST
                self._send({"kind": "older", "view": transfer.view, "before": before, "rows": rows, "whole": whole})
            before = rows[-1][0] if rows else 0
