"""How much disk space all jobs take, and how much of it `clean` would free; measured for a limited time, and not too often.

It changes nothing.
"""

import os
import threading
import time

from msgspec import Struct

from ..model import sizes
from ..state import disk_usage
from ..state.folder import StateFolder
from ..store import removals
from ..store.database import Database
from ..store.removals import RemovalFilter

#: Longest time for a measurement, in seconds.
_LONGEST = 5.0

#: A measurement is repeated after this many seconds, and after this many times as long as it took.
_FRESH, _SHARE = 60.0, 100.0

_EVERY = 1 << 40


class DiskTotals(Struct, frozen=True):
    """The disk space of a state folder, in bytes.

    Parameters
    ----------
    jobs : int
        Of the jobs' folders: logs, outputs, results, parameters.
    store : int
        Of the store.
    free : int
        What `clean` without a filter would free: the folders of finished jobs that are not kept.
    removable : int
        The number of those jobs.
    whole : bool
        Whether there was time to measure all of it; otherwise it is more.
    """

    jobs: int
    store: int
    free: int
    removable: int
    whole: bool

    @property
    def more(self) -> str:
        """The words before a size that was not measured to its end."""
        return "" if self.whole else "more than "

    def __str__(self) -> str:
        taken = f"{self.more}{sizes.show(self.jobs)} on disk"
        return f"{taken}, of which clean would free {self.more}{sizes.show(self.free)}" if self.removable else taken


def measure(folder: StateFolder, database: Database, longest: float = _LONGEST) -> DiskTotals:
    """Measure the disk space of a state folder, for a limited time."""
    found = {uid for _, uid in removals.removable(database, RemovalFilter(), _EVERY)}
    measured, whole = disk_usage.of_folders_within(folder.jobs, longest)
    store = sum(os.path.getsize(path) for path in (folder.database, f"{folder.database}-wal") if os.path.exists(path))
    free = sum(taken for name, taken in measured.items() if name in found)
    return DiskTotals(sum(measured.values()), store, free, len(found), whole)


class DiskMonitor:
    """The disk space of one state folder as it was measured last; any thread may ask, and only one measures.

    Parameters
    ----------
    folder : StateFolder
        The state folder.
    """

    def __init__(self, folder: StateFolder) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._totals: DiskTotals | None = None
        self._due_at = 0.0

    def totals(self, database: Database) -> DiskTotals:
        """Return the totals, measured again if they are old: at most one part in a hundred of the time is spent on that."""
        with self._lock:
            if self._totals is None or time.monotonic() >= self._due_at:
                begin = time.monotonic()
                self._totals = measure(self._folder, database)
                took = time.monotonic() - begin
                self._due_at = begin + max(_FRESH, _SHARE * took)
            return self._totals
