"""The conversation with one panel, over a notebook's comm or a page's socket: its views, updates and commands.

``web/link.js`` is the other side. A panel that is not visible, or has been silent for a minute, is sent nothing.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from ..client.client import Client
from ..client.disk_totals import DiskMonitor
from ..client.jobs import attempt_folders
from ..client.jobs.job import Job
from ..client.jobs.job_status import FullQueues
from ..errors import BackgroundJobError
from ..model.records import JobState
from ..state import last_look
from ..state.folder import StateFolder
from ..store import changes
from ..store.database import Database
from . import board, commands, details, log_parts, recorded
from .answers import BackgroundTasks
from .feed import IDLE, RUNNING, SHORTEST, Feed, progress_now
from .group_card import GroupCard
from .job_card import JobCard
from .opened import OpenJobs
from .transfers import RowTransfers

if TYPE_CHECKING:
    from .card import Card

#: What messages to and from a panel look like: a page that was opened before an upgrade speaks another version. It changes
#: with every change that an older page would misread; ``web/link.js`` has the same number.
VERSION = 2

#: What a page of another version is told.
OTHER_VERSION = "This page was opened with another version of ipybgjobs: reload the page, and run the cell again."

#: Number of rows that are sent with the panel itself.
FIRST = 50

#: Seconds after which a silent view is considered gone; it sends a message every ten seconds.
SILENCE = 60.0


class _View(Struct):
    """One place where the panel is displayed."""

    heard_at: float
    opened: int | None = None  # the job whose details are open


class Session:
    """One panel.

    Parameters
    ----------
    client : Client
        The client of this process.
    send : callable
        Sends a message of JSON values to the panel, from any thread.
    only : int, optional
        The only job that is shown, by a card.
    group : int, optional
        The only group that is shown, by a card.
    busy : callable
        Returns whether this process can't receive messages at the moment: then silence means nothing.
    on_changes : callable
        Called in the feed's thread at each check, with the changes that concern this panel; None if there are none. For a card
        also while it is not visible, until its jobs have finished: what is saved of it stays true. It returns whether it wants
        to be called again soon.
    """

    def __init__(  # noqa: PLR0913 - the kinds of panel
        self,
        client: Client,
        send: Callable[[dict[str, Any]], None],
        *,
        only: int | None = None,
        group: int | None = None,
        busy: Callable[[], bool] = lambda: False,
        on_changes: Callable[[dict[str, Any] | None], bool] | None = None,
    ) -> None:
        self._client = client
        self._send: Callable[[dict[str, Any]], None] = lambda message: send({**message, "version": VERSION})
        self._busy = busy
        self._on_changes = on_changes
        self._folder: StateFolder = client.folder()
        self._full = FullQueues(client, self._folder)
        self._disk: str | None = None  # the last words about the disk
        self._told = 0  # the newest change that all views of a card were sent
        self._card: Card | None = None  # None: all jobs are shown
        if only is not None:
            self._card = JobCard(self._folder, only)
        elif group is not None:
            self._card = GroupCard(self._database(), self._folder, group)
        self._lock = threading.Lock()
        self._views: dict[str, _View] = {"": _View(time.monotonic())}  # the one that is about to appear
        self._live: set[int] = set()  # of a card: its unfinished jobs
        self._pending = False  # whether what is saved is not up to date
        self._met: set[str] = set()  # every view so far
        self._heard_at: float | None = None  # by the wall clock
        self._opened = OpenJobs(self._job, self._send)
        self._tasks = BackgroundTasks()
        self._talks = threading.Lock()  # data is sent in the order in which it is read
        self._transfers = RowTransfers(self._database, self._send, self._talks)

    # -- initial content ------------------------------------------------------------------------------------------

    def begin(self, show: Callable[[dict[str, Any]], None]) -> None:
        """Pass a panel's initial content, the newest rows, to ``show``; later changes are sent after it."""
        with self._talks:
            self._feed().add(self)
            first = self._first()
            self._told = int(first["seq"])
            show(first)

    def again(self, show: Callable[[dict[str, Any]], None]) -> None:
        """Pass the initial content as it is now, for one more view, to ``show``; the others miss nothing by it."""
        with self._talks:
            show(self._first())

    def _first(self) -> dict[str, Any]:
        return {**self._all(FIRST), "version": VERSION}

    def _feed(self) -> Feed:
        return feed_of(self._client, self._folder)

    def _database(self) -> Database:
        return self._client.database(self._folder)

    def _job(self, job_id: int) -> Job:
        return commands.find_job(self._client, self._folder, job_id)

    def _all(self, limit: int) -> dict[str, Any]:
        database = self._database()
        found = board.first(database, limit if self._card is None else 0, self._full)
        if self._card is None:
            found["values"] = recorded.of_running(database, self._folder)
        else:
            found |= self._card.content(database)
        self._note_live(found["rows"])
        found |= self._feed().queue_status()  # the store's current content may change back before the feed's next check
        return {"kind": "rows", "now": time.time(), "most": board.MOST, **found, "progress": progress_now(self._folder, database)}

    def _note_live(self, rows: list[list[Any]], gone: Sequence[int] = ()) -> None:
        """Note which jobs of a card have not finished."""
        if self._on_changes and self._card is not None:
            self._live -= {*gone, *(each[0] for each in rows)}
            self._live |= {each[0] for each in rows if not JobState(each[1]).ended}

    def _note_look(self, rows: list[list[Any]]) -> None:
        """Record that the user has seen how jobs ended, which is then no news in another notebook."""
        if any(JobState(each[1]).ended for each in rows):
            last_look.record(self._folder, time.time())

    # -- messages from the panel ----------------------------------------------------------------------------------

    def receive(self, message: Any) -> None:
        """Handle a message of the panel; slow work is done in another thread."""
        kind = message.get("kind") if isinstance(message, dict) else None
        take = {
            "look": self._look,
            "leave": self._leave,
            "outputs": self._outputs,
            "lines": self._lines,
            "piece": self._piece,
            "command": self._command,
        }.get(str(kind))
        if take is not None and message.get("version") == VERSION:
            take(message)
        elif take is not None and kind != "leave":
            self._refuse(message)

    def _refuse(self, message: dict[str, Any]) -> None:
        """Tell a page whose scripts are of another version what to do, and do nothing that it asks for."""
        if message.get("kind") == "command":
            self._send({"kind": "answer", "cid": message.get("cid"), "ok": False, "text": OTHER_VERSION})
        else:
            self._send({"kind": "trouble", "text": OTHER_VERSION})

    def _look(self, message: dict[str, Any]) -> None:
        name, visible = str(message.get("view")), bool(message.get("visible"))
        opened = message.get("open") if isinstance(message.get("open"), int) else None
        with self._lock:
            self._views.pop("", None)
            before = self._views.pop(name, None)
            if visible:
                self._views[name] = _View(time.monotonic(), opened)
            else:
                self._transfers.stop(name)
            heard = None if name in self._met else self._heard_at
            self._met.add(name)
            self._heard_at = now = time.time()
        self._send({"kind": "here", "view": name, "now": now, "heard": heard})  # a new view learns when others were last heard
        if visible:
            again = opened if before is None or before.opened != opened else None
            self._answer(lambda: self._catch_up(name, message, again, appears=before is None))

    def _send_disk(self, *, again: bool) -> None:
        """Send how much disk space the jobs take, if it has changed, or `again` to a new view."""
        text = str(disk_of(self._folder).totals(self._database()))
        if text != self._disk or again:
            self._disk = text
            self._send({"kind": "disk", "text": text})

    def _leave(self, message: dict[str, Any]) -> None:
        with self._lock:
            self._views.pop(str(message.get("view")), None)
            self._transfers.stop(str(message.get("view")))

    def _catch_up(self, view: str, message: dict[str, Any], again: int | None, *, appears: bool) -> None:
        """Send what a view has missed: the changes and the older rows, or everything if it has none or was away for too long."""
        self._feed().add(self)
        self._opened.keep(self._wanted(), again)
        before = None if message.get("whole") else _row_id(message.get("oldest"))
        since = message.get("seq") if message.get("whole") or before is not None else None
        if not isinstance(since, int) or since < 0 or not self._send_changes(view, since, appears=appears):
            self._send_all(view)
        elif before is not None:
            self._send_rest(view, before, again=bool(message.get("gap")))
        self._opened.send()
        if self._card is None:
            self._send_disk(again=appears)

    def _wanted(self) -> list[int]:
        with self._lock:
            return [view.opened for view in self._views.values() if view.opened is not None]

    def _send_changes(self, view: str, since: int, *, appears: bool) -> bool:
        """Send the changes since a given change; False if that is too long ago to know."""
        database = self._database()
        with self._talks:
            found = board.changes(database, since)
            if found is None:
                return False
            if appears or found["rows"] or found["gone"]:
                around = (
                    board.queue_status(database, self._full)
                    | self._feed().queue_status()
                    | {"progress": progress_now(self._folder, database)}
                )
                delta = self._mine({"kind": "delta", "now": time.time(), "trouble": None, **found, **around})
                if delta is not None:
                    self._send({**delta, "view": view})
                    self._note_look(delta["rows"])
        return True

    def _send_all(self, view: str) -> None:
        """Send all rows to one view, in parts; an earlier transfer to it ends."""
        with self._transfers.begin(view) as transfer:
            with self._talks:
                message = self._all(board.CHUNK)
                self._send({**message, "view": view})
            self._note_look(message["rows"])
            if not message["whole"]:
                self._transfers.send_older(transfer, message["oldest"], message["have"])

    def _send_rest(self, view: str, before: int, *, again: bool) -> None:
        """Send the rows that are older than those of a view, unless they are on their way; `again`: some were lost on theirs."""
        if again or not self._transfers.is_under_way(view):
            with self._transfers.begin(view) as transfer:
                self._transfers.send_older(transfer, before, changes.count_from(self._database(), before))

    def _outputs(self, message: dict[str, Any]) -> None:
        key, number = message.get("job"), message.get("attempt")

        def answer() -> None:
            if isinstance(key, int):
                self._send({"kind": "outputs", "job": key, "attempt": number, "outputs": details.outputs(self._job(key), number)})

        self._answer(answer)

    def _lines(self, message: dict[str, Any]) -> None:
        """Send the lines of a job's log before a given one."""
        key, line = message.get("job"), message.get("before")

        def answer() -> None:
            if isinstance(key, int) and isinstance(line, int) and (folder := self._log_folder(key)) is not None:
                self._send({"kind": "lines", "job": key, "before": line, **log_parts.before(folder, line)})

        self._answer(answer)

    def _piece(self, message: dict[str, Any]) -> None:
        """Send a piece of a job's log, for a panel that saves all of it."""
        key, offset = message.get("job"), message.get("from")

        def answer() -> None:
            if isinstance(key, int) and isinstance(offset, int) and offset >= 0 and (folder := self._log_folder(key)) is not None:
                self._send({"kind": "piece", "job": key, "from": offset, **log_parts.piece(folder, offset)})

        self._answer(answer)

    def _log_folder(self, job_id: int) -> str | None:
        return attempt_folders.newest(self._folder, self._job(job_id).attempts)

    def _command(self, message: dict[str, Any]) -> None:
        key = message.get("cid")
        self._send({"kind": "heard", "cid": key})

        def answer() -> None:
            try:
                said = {"ok": True, "text": commands.run(self._client, self._folder, str(message.get("verb")), message)}
            except Exception as error:  # any error is shown to the user who pressed the button
                said = {"ok": False, "text": str(error) or type(error).__name__}
            self._send({"kind": "answer", "cid": key, **said})

        self._answer(answer)

    def _answer(self, do: Callable[[], None]) -> None:
        def run() -> None:
            try:
                do()
            except (BackgroundJobError, OSError) as error:  # the store or the job is gone
                self._send({"kind": "trouble", "text": str(error)})

        self._tasks.submit(run)

    # -- messages to the panel ------------------------------------------------------------------------------------

    def take_changes(self, delta: dict[str, Any] | None) -> float | None:
        """Send changes; called by the feed's thread."""
        seen = self._seen()
        if not seen and not (self._live or self._pending):
            return None
        mine = None if delta is None else self._mine(delta)
        if mine is not None and seen:
            with self._talks:
                self._send(self._numbered(mine))
            self._note_look(mine.get("rows", []))
            self._opened.changed(mine)
        if self._on_changes:
            self._pending = self._on_changes(mine)
        if not seen:
            return RUNNING if self._pending else IDLE
        self._opened.keep(self._wanted())
        return SHORTEST if self._opened.send() else IDLE

    def _numbered(self, mine: dict[str, Any]) -> dict[str, Any]:
        """Return changes with the number of the change that they follow: a view that did not get that one asks for all.

        A card is not sent the changes of other jobs, so these are not a gap.
        """
        if "seq" not in mine or "base" in mine:
            return mine
        before, self._told = self._told, mine["seq"]
        return {**mine, "base": before}

    def _seen(self) -> bool:
        """Return whether the panel is visible anywhere; views that have been silent for long do not count."""
        limit = time.monotonic() - SILENCE
        with self._lock:
            if not self._busy():
                self._views = {name: view for name, view in self._views.items() if view.heard_at > limit}
            return bool(self._views)

    def _mine(self, delta: dict[str, Any]) -> dict[str, Any] | None:
        """Return the part of a delta that concerns this panel: all, or that of a card; None if there is none."""
        mine = delta if self._card is None else self._card.mine(delta, self._database())
        if mine is not None:
            self._note_live(mine.get("rows", []), mine.get("gone", []))
        return mine

    def close(self) -> None:
        """Stop receiving and sending."""
        with self._lock:
            self._views.clear()
            self._transfers.stop_all()
        self._opened.keep([])
        self._feed().remove(self)


def _row_id(value: Any) -> int | None:
    """Return the id of a row that a panel names; None if it is none."""
    return value if isinstance(value, int) and 0 < value < 1 << 63 else None


_feeds: dict[str, Feed] = {}
_disks: dict[str, DiskMonitor] = {}


def feed_of(client: Client, folder: StateFolder) -> Feed:
    """Return the feed of a state folder; a process has one for each."""
    return _feeds.setdefault(folder.path, Feed(folder, lambda: client.database(folder), FullQueues(client, folder)))


def disk_of(folder: StateFolder) -> DiskMonitor:
    """Return the disk use of a state folder; a process measures it for all its panels."""
    return _disks.setdefault(folder.path, DiskMonitor(folder))
