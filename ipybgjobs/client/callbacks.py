"""Call functions when jobs finish: one thread watches all of the jobs, and stops when none is left.

It belongs to one process and one store; nothing in it outlives the process.
"""

import contextlib
import threading
import traceback
from collections.abc import Callable, Mapping

from ..system import interrupt_shield
from .jobs import waiting


class Callbacks:
    """The functions to call, by job.

    Parameters
    ----------
    ended : callable
        Takes ids of jobs, and returns those that have finished.
    beat : callable
        Called at intervals, to make sure that a supervisor runs.
    """

    def __init__(self, ended: Callable[[list[int]], Mapping[int, object]], beat: Callable[[], None]) -> None:
        self._ended = ended
        self._beat = beat
        self._lock = threading.Lock()
        self._waiting: dict[int, list[Callable[[], object]]] = {}
        self._thread: threading.Thread | None = None

    def add(self, job_id: int, function: Callable[[], object]) -> None:
        """Call a function once a job has finished; immediately, in this thread, if it already has."""
        if self._ended([job_id]):
            _call(function)
            return
        said = f"the callback was added and will be called when job {job_id} finishes"
        interrupt_shield.run(lambda: self._add(job_id, function), lambda _: said)

    def _add(self, job_id: int, function: Callable[[], object]) -> None:
        with self._lock:
            interrupt_shield.commit_point()
            self._waiting.setdefault(job_id, []).append(function)
            if self._thread is None or not self._thread.is_alive():  # a fork has no threads
                self._thread = threading.Thread(target=self._watch, name="ipybgjobs-callbacks", daemon=True)
                self._thread.start()

    def _watch(self) -> None:
        while True:
            waiting.wait(self._some_ended, None, str, self._ensure_supervisor)
            for function in self._taken():
                _call(function)
            with self._lock:
                if not self._waiting:
                    self._thread = None
                    return

    def _some_ended(self) -> bool:
        with contextlib.suppress(Exception):  # a full disk, a missing folder: retried
            return bool(self._ended(self._ids()))
        return False

    def _ensure_supervisor(self) -> None:
        with contextlib.suppress(Exception):  # a full disk, a missing folder: retried
            self._beat()

    def _ids(self) -> list[int]:
        with self._lock:
            return list(self._waiting)

    def _taken(self) -> list[Callable[[], object]]:
        """Remove and return the functions of the jobs that have finished."""
        ended: Mapping[int, object] = {}
        with contextlib.suppress(Exception):  # a full disk, a missing folder: retried
            ended = self._ended(self._ids())
        with self._lock:
            return [function for job_id in ended for function in self._waiting.pop(job_id, [])]


def _call(function: Callable[[], object]) -> None:
    try:
        function()
    except BaseException:
        traceback.print_exc()
