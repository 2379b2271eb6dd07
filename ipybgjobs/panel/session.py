"""The talk with one panel, over a notebook's comm or a page's socket: who looks, what it is sent, what it asks for.

``web/link.js`` speaks the other side. A panel that nobody sees, or that has not been heard of for a minute, is sent nothing.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..client import Client
from ..errors import BackgroundJobError
from ..folder import StateFolder
from ..handle import Job
from ..store.database import Database
from . import board, commands, details
from .details import Tail
from .feed import IDLE, SHORTEST, Feed, progress_now

#: Rows that come with the panel itself.
FIRST = 50

#: Seconds after which a view that says nothing is taken for gone; it says something every twenty.
SILENCE = 60.0

#: Seconds between two pieces of many rows.
_PIECES = 0.25


@dataclass(slots=True)
class _View:
    """One place where the panel is seen."""

    heard_at: float
    opened: int | None = None  # the job whose detail is open


@dataclass(slots=True)
class _Opened:
    """A job whose detail is open."""

    job: Job
    tail: Tail | None = None
    stale: bool = True  # whether what was said of it may have changed


class Session:
    """One panel.

    Parameters
    ----------
    client : Client
        The client of this process.
    send : callable
        Sends a message of JSON values to the panel, from any thread.
    only : int, optional
        The one job that is shown: a card.
    busy : callable
        Whether this process can't hear a panel at the moment: then silence says nothing.
    on_turn : callable
        Called in the feed's thread at each of its turns, with what has changed here; None if nothing has.
    """

    def __init__(
        self,
        client: Client,
        send: Callable[[dict[str, Any]], None],
        *,
        only: int | None = None,
        busy: Callable[[], bool] = lambda: False,
        on_turn: Callable[[dict[str, Any] | None], None] = lambda _: None,
    ) -> None:
        self._client = client
        self._send = send
        self._only = only
        self._busy = busy
        self._on_turn = on_turn
        self._folder: StateFolder = client.folder()
        self._lock = threading.Lock()
        self._views: dict[str, _View] = {"": _View(time.monotonic())}  # the one that is about to appear
        self._opened: dict[int, _Opened] = {}
        self._sends_opened = threading.Lock()  # one at a time follows a log
        self._sends_all = threading.Lock()

    # -- what it begins with --------------------------------------------------------------------------------------

    def first(self) -> dict[str, Any]:
        """Return what a panel shows at once: the newest rows; from now on it hears of changes."""
        self._feed().add(self)
        found = self._all(FIRST)
        return {**found, "whole": len(found["rows"]) >= found["count"]}

    def _feed(self) -> Feed:
        return feed_of(self._client, self._folder)

    def _database(self) -> Database:
        return self._client.database(self._folder)

    def _all(self, limit: int) -> dict[str, Any]:
        database = self._database()
        found = board.first(self._folder, database, 0 if self._only else limit)
        if self._only is not None:
            found |= {"only": self._only, "rows": board.one(database, self._only), "count": 1}
        return {"kind": "rows", "now": time.time(), "most": board.MOST, **found, "progress": progress_now(self._folder, database)}

    # -- what it says ---------------------------------------------------------------------------------------------

    def receive(self, message: Any) -> None:
        """Take a message of the panel; what takes time is done in a thread of its own."""
        kind = message.get("kind") if isinstance(message, dict) else None
        take = {"look": self._look, "leave": self._leave, "outputs": self._outputs, "command": self._command}.get(str(kind))
        if take is not None:
            take(message)

    def _look(self, message: dict[str, Any]) -> None:
        name = str(message.get("view"))
        opened: int | None = message.get("open") if isinstance(message.get("open"), int) else None
        with self._lock:
            self._views.pop("", None)
            before = self._views.pop(name, None)
            if message.get("visible"):
                self._views[name] = _View(time.monotonic(), opened)
            if opened is not None and (before is None or before.opened != opened):
                self._opened.pop(opened, None)  # who opens a job sees its log from the beginning of what is shown
            self._keep_opened()
        self._send({"kind": "here", "view": name, "now": time.time()})
        if message.get("visible"):
            self._feed().add(self)
            self._in_thread(lambda: self._catch_up(message.get("seq"), bool(message.get("whole"))))

    def _keep_opened(self) -> None:
        """Follow the jobs whose details are open, and no others."""
        wanted = {view.opened for view in self._views.values() if view.opened is not None}
        self._opened = {key: one for key, one in self._opened.items() if key in wanted}
        for key in wanted - self._opened.keys():
            with contextlib.suppress(BackgroundJobError):  # it is gone
                self._opened[key] = _Opened(self._client.job(key))

    def _leave(self, message: dict[str, Any]) -> None:
        with self._lock:
            self._views.pop(str(message.get("view")), None)
            self._keep_opened()

    def _catch_up(self, since: int | None, whole: bool) -> None:  # noqa: FBT001 - of the message
        """Send what a panel has missed: the changes, or everything where it has not got all or was away for too long."""
        changes = board.changes(self._database(), since) if whole and isinstance(since, int) else None
        if changes is None:
            self._send_all()
        elif changes["rows"] or changes["gone"]:
            around = board.surroundings(self._database())
            self._send(self._mine({"kind": "delta", "now": time.time(), **changes, **around}) or {"kind": "nothing"})
        self._send_opened()

    def _send_all(self) -> None:
        if not self._sends_all.acquire(blocking=False):
            return  # it is on its way
        try:
            self._send_pieces()
        finally:
            self._sends_all.release()

    def _send_pieces(self) -> None:
        message = self._all(board.CHUNK)
        rows = message["rows"]
        pieces = iter(()) if self._only or not rows else board.older(self._database(), rows[-1][0], len(rows))
        piece = next(pieces, None)
        self._send({**message, "whole": piece is None})
        while piece is not None:
            following = next(pieces, None)
            time.sleep(_PIECES)
            self._send({"kind": "older", "rows": piece, "whole": following is None})
            piece = following

    def _outputs(self, message: dict[str, Any]) -> None:
        def answer() -> None:
            key = message["job"]
            self._send({"kind": "outputs", "job": key, "outputs": details.outputs(self._client.job(key))})

        self._in_thread(answer)

    def _command(self, message: dict[str, Any]) -> None:
        key = message.get("cid")
        self._send({"kind": "heard", "cid": key})

        def answer() -> None:
            try:
                said = {"ok": True, "text": commands.run(self._client, str(message.get("verb")), message)}
            except (BackgroundJobError, OSError) as error:
                said = {"ok": False, "text": str(error)}
            self._send({"kind": "answer", "cid": key, **said})

        self._in_thread(answer)

    def _in_thread(self, do: Callable[[], None]) -> None:
        def run() -> None:
            try:
                do()
            except BackgroundJobError as error:  # the store is gone, or the job is
                self._send({"kind": "trouble", "text": str(error)})

        threading.Thread(target=run, name="ipybgjobs-panel-answer", daemon=True).start()

    # -- what it hears --------------------------------------------------------------------------------------------

    def turn(self, delta: dict[str, Any] | None) -> float | None:
        """Send what has changed; the feed's thread calls it."""
        if not self._seen():
            return None
        mine = None if delta is None else self._mine(delta)
        if mine is not None:
            self._send(mine)
            self._mark_stale(mine)
        self._on_turn(mine)
        return self._send_opened()

    def _mark_stale(self, delta: dict[str, Any]) -> None:
        changed = {row[0] for row in delta.get("rows", [])}
        for key, one in list(self._opened.items()):
            one.stale = one.stale or key in changed or "lost" in delta

    def _seen(self) -> bool:
        """Whether anybody sees the panel; who has long been silent does not."""
        limit = time.monotonic() - SILENCE
        with self._lock:
            if not self._busy():
                self._views = {name: view for name, view in self._views.items() if view.heard_at > limit}
                self._keep_opened()
            return bool(self._views)

    def _mine(self, delta: dict[str, Any]) -> dict[str, Any] | None:
        return delta if self._only is None else self._of_one(delta)

    def _of_one(self, delta: dict[str, Any]) -> dict[str, Any] | None:
        """What of a delta concerns the one job that is shown; None if nothing does."""
        mine = {key: value for key, value in delta.items() if key != "base"}  # what concerns others is no gap
        for key in ("rows", "progress"):
            mine[key] = [row for row in delta.get(key, []) if row[0] == self._only]
        mine["gone"] = [each for each in delta.get("gone", []) if each == self._only]
        around = {"paused", "notice", "trouble", "lost"} & delta.keys()
        return mine if around or any(mine[key] for key in ("rows", "progress", "gone")) else None

    def _send_opened(self) -> float:
        """Send what is new of the jobs whose details are open; return the longest pause."""
        with self._lock:
            opened = list(self._opened.values())
        for one in opened:
            with self._sends_opened, contextlib.suppress(BackgroundJobError):  # it is gone
                self._send_detail(one)
        return SHORTEST if opened else IDLE

    def _send_detail(self, one: _Opened) -> None:
        if one.stale:
            one.stale = False
            self._send({"kind": "detail", **details.detail(one.job)})
        folder = one.job._newest_folder()  # noqa: SLF001 - its own package
        if folder is not None and (one.tail is None or one.tail.folder != folder):
            one.tail = Tail(folder)
        more = one.tail.more() if one.tail is not None else None
        if more is not None:
            self._send({"kind": "log", "job": one.job.id, **more})

    def close(self) -> None:
        """Hear and send nothing more."""
        with self._lock:
            self._views.clear()
            self._opened.clear()
        self._feed().remove(self)


_feeds: dict[str, Feed] = {}
_feeds_lock = threading.Lock()


def feed_of(client: Client, folder: StateFolder) -> Feed:
    """Return the feed of a state folder: one a process."""
    with _feeds_lock:
        if folder.path not in _feeds:
            _feeds[folder.path] = Feed(folder, lambda: client.database(folder))
        return _feeds[folder.path]
