"""The talk with one panel, over a notebook's comm or a page's socket: who looks, what it is sent, what it asks for.

``web/link.js`` speaks the other side. A panel that nobody sees, or that has not been heard of for a minute, is sent nothing.
"""

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
from .answers import Answers
from .feed import IDLE, SHORTEST, Feed, progress_now
from .opened import OpenJobs

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
        self._met: set[str] = set()  # every view there ever was
        self._heard_at: float | None = None  # by the wall clock
        self._opened = OpenJobs(self._job, send)
        self._answers = Answers()
        self._talks = threading.Lock()  # what is read is sent before what is read later
        self._transfers: dict[str, object] = {}  # by view: the newest that sends it all rows

    # -- what it begins with --------------------------------------------------------------------------------------

    def begin(self, show: Callable[[dict[str, Any]], None]) -> None:
        """Give what a panel shows at once, the newest rows, to ``show``; what changes from then on is sent after it."""
        with self._talks:
            self._feed().add(self)
            show(self._all(FIRST))

    def _feed(self) -> Feed:
        return feed_of(self._client, self._folder)

    def _database(self) -> Database:
        return self._client.database(self._folder)

    def _job(self, job_id: int) -> Job:
        return commands.find(self._client, self._folder, job_id)

    def _all(self, limit: int) -> dict[str, Any]:
        database = self._database()
        found = board.first(database, 0 if self._only else limit)
        if self._only is not None:
            found |= {"only": self._only, "rows": board.one(database, self._only), "count": 1, "whole": True}
        found |= self._feed().around()  # what the store says by now may change back before the feed looks
        return {"kind": "rows", "now": time.time(), "most": board.MOST, **found, "progress": progress_now(self._folder, database)}

    # -- what it says ---------------------------------------------------------------------------------------------

    def receive(self, message: Any) -> None:
        """Take a message of the panel; what takes time is done in another thread."""
        kind = message.get("kind") if isinstance(message, dict) else None
        take = {"look": self._look, "leave": self._leave, "outputs": self._outputs, "command": self._command}.get(str(kind))
        if take is not None:
            take(message)

    def _look(self, message: dict[str, Any]) -> None:
        name, visible = str(message.get("view")), bool(message.get("visible"))
        opened = message.get("open") if isinstance(message.get("open"), int) else None
        with self._lock:
            self._views.pop("", None)
            before = self._views.pop(name, None)
            if visible:
                self._views[name] = _View(time.monotonic(), opened)
            else:
                self._transfers.pop(name, None)
            heard = None if name in self._met else self._heard_at
            self._met.add(name)
            self._heard_at = now = time.time()
        self._send({"kind": "here", "view": name, "now": now, "heard": heard})  # a new one learns when others were heard last
        if visible:
            anew = opened if before is None or before.opened != opened else None
            self._answer(lambda: self._catch_up(name, message, anew, appears=before is None))

    def _leave(self, message: dict[str, Any]) -> None:
        with self._lock:
            self._views.pop(str(message.get("view")), None)
            self._transfers.pop(str(message.get("view")), None)

    def _catch_up(self, view: str, message: dict[str, Any], anew: int | None, *, appears: bool) -> None:
        """Send what a view has missed: the changes, or everything where it has not got all or was away for too long."""
        self._feed().add(self)
        self._opened.keep(self._wanted(), anew)
        since = message.get("seq") if message.get("whole") else None
        if not isinstance(since, int) or since < 0 or not self._send_changes(view, since, appears=appears):
            self._send_all(view)
        self._opened.send()

    def _wanted(self) -> list[int]:
        with self._lock:
            return [view.opened for view in self._views.values() if view.opened is not None]

    def _send_changes(self, view: str, since: int, *, appears: bool) -> bool:
        """Send what changed since; False where that is too long ago to know."""
        database = self._database()
        with self._talks:
            changes = board.changes(database, since)
            if changes is None:
                return False
            if appears or changes["rows"] or changes["gone"]:
                around = board.surroundings(database) | self._feed().around() | {"progress": progress_now(self._folder, database)}
                delta = self._mine({"kind": "delta", "now": time.time(), "trouble": None, **changes, **around})
                if delta is not None:
                    self._send({**delta, "view": view})
        return True

    def _send_all(self, view: str) -> None:
        """Send all rows to one view, in pieces; one that asks again is sent all from the beginning."""
        with self._lock:
            mine = self._transfers[view] = object()
        with self._talks:
            message = self._all(board.CHUNK)
            self._send({**message, "view": view})
        before, have, whole = message["oldest"], message["have"], message["whole"]
        while not whole:
            time.sleep(_PIECES)
            if self._transfers.get(view) is not mine:
                return
            with self._talks:
                rows = board.older(self._database(), before, min(board.CHUNK, board.MOST - have))
                have += len(rows)
                whole = not rows or have >= board.MOST
                self._send({"kind": "older", "view": view, "before": before, "rows": rows, "whole": whole})
            before = rows[-1][0] if rows else 0

    def _outputs(self, message: dict[str, Any]) -> None:
        key, number = message.get("job"), message.get("attempt")

        def answer() -> None:
            if isinstance(key, int):
                self._send({"kind": "outputs", "job": key, "attempt": number, "outputs": details.outputs(self._job(key), number)})

        self._answer(answer)

    def _command(self, message: dict[str, Any]) -> None:
        key = message.get("cid")
        self._send({"kind": "heard", "cid": key})

        def answer() -> None:
            try:
                said = {"ok": True, "text": commands.run(self._client, self._folder, str(message.get("verb")), message)}
            except Exception as error:  # whatever it is, who has pressed the button is told
                said = {"ok": False, "text": str(error) or type(error).__name__}
            self._send({"kind": "answer", "cid": key, **said})

        self._answer(answer)

    def _answer(self, do: Callable[[], None]) -> None:
        def run() -> None:
            try:
                do()
            except (BackgroundJobError, OSError) as error:  # the store is gone, or the job is
                self._send({"kind": "trouble", "text": str(error)})

        self._answers.give(run)

    # -- what it hears --------------------------------------------------------------------------------------------

    def turn(self, delta: dict[str, Any] | None) -> float | None:
        """Send what has changed; the feed's thread calls it."""
        if not self._seen():
            return None
        mine = None if delta is None else self._mine(delta)
        if mine is not None:
            with self._talks:
                self._send(mine)
            self._opened.changed(mine)
        self._on_turn(mine)
        self._opened.keep(self._wanted())
        return SHORTEST if self._opened.send() else IDLE

    def _seen(self) -> bool:
        """Return whether anybody sees the panel; who has long been silent does not."""
        limit = time.monotonic() - SILENCE
        with self._lock:
            if not self._busy():
                self._views = {name: view for name, view in self._views.items() if view.heard_at > limit}
            return bool(self._views)

    def _mine(self, delta: dict[str, Any]) -> dict[str, Any] | None:
        """What of a delta concerns this panel: all of it, or what concerns the one job that is shown; None if nothing does."""
        if self._only is None:
            return delta
        mine = {key: value for key, value in delta.items() if key != "base"}  # what concerns others is no gap
        for key in ("rows", "progress"):
            mine[key] = [row for row in delta.get(key, []) if row[0] == self._only]
        mine["gone"] = [each for each in delta.get("gone", []) if each == self._only]
        around = {"paused", "notice", "trouble", "lost"} & delta.keys()
        return mine if around or any(mine[key] for key in ("rows", "progress", "gone")) else None

    def close(self) -> None:
        """Hear and send nothing more."""
        with self._lock:
            self._views.clear()
            self._transfers.clear()
        self._opened.keep([])
        self._feed().remove(self)


_feeds: dict[str, Feed] = {}


def feed_of(client: Client, folder: StateFolder) -> Feed:
    """Return the feed of a state folder: one a process."""
    return _feeds.setdefault(folder.path, Feed(folder, lambda: client.database(folder)))
