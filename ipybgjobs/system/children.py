"""The children of a process that forks: starting, hearing and reaping them, and what each leaves behind. POSIX only.

It never knows what a child does; a child is identified by the folder that its mark is made from. A worker adopts the orphans of
its descendants, so an orphan appears here only once its worker has died. Every fork carries this module, so it imports next to
nothing.
"""

import contextlib
import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from . import identity, process_mark, tree, worker
from .identity import ProcessState

#: The exit code of a child that could not become what it was forked for.
_UNUSABLE = 70


class Reaped(NamedTuple):
    """A child that has ended."""

    folder: str
    status: int  #: as from `os.wait`
    peak_memory: int  #: bytes
    cpu_seconds: float
    begun: bool  #: whether it has reported its start
    left: list[dict[str, Any]]  #: the identity of each process that its death has orphaned


class Children:
    """The children of this process, which has to be single-threaded where it forks."""

    def __init__(self) -> None:
        self.folders: dict[int, str] = {}  #: of living children, by PID
        self._strangers: set[int] = set()  # orphans that became children of this process, known from one reaping to the next
        self._begun: set[int] = set()  # PIDs of children that have reported their start, until they are reaped
        self._ended, wake = os.pipe()
        self._telling, self.begins = os.pipe()  #: begins: the descriptor on which a child reports its start
        for end in (self._ended, wake, self._telling, self.begins):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, lambda *_: None)  # not SIG_IGN, which a fresh process would inherit
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    # -- waiting --------------------------------------------------------------------------------------------------

    def wait(self, channel: int | None, milliseconds: int | None, *, sending: bool) -> tuple[bool, bool]:
        """Wait until a child may have ended, or a channel has news.

        Parameters
        ----------
        channel : int or None
            The descriptor of the channel.
        milliseconds : int or None
            Longest time; None: no limit.
        sending : bool
            Whether it counts as news that the channel accepts data again.

        Returns
        -------
        bool, bool
            Whether there may be something to reap, and whether the channel has news.
        """
        waiting = select.poll()
        waiting.register(self._ended, select.POLLIN)
        if channel is not None:
            waiting.register(channel, select.POLLIN | (select.POLLOUT if sending else 0))
        ready = {descriptor for descriptor, _ in waiting.poll(milliseconds)}
        if self._ended in ready:
            os.read(self._ended, 4096)
        return self._ended in ready, channel in ready

    # -- starting and ending --------------------------------------------------------------------------------------

    def fork(self, folder: str, become: Callable[[], object]) -> None:
        """Fork a child; in it, this never returns.

        Parameters
        ----------
        folder : str
            The folder that its mark is made from. If it no longer exists, an error of the child is not reported.
        become : callable
            Called in the child.

        Raises
        ------
        OSError
            If no process can be created.
        """
        pid = os.fork()
        if pid:
            self.folders[pid] = folder
            return
        try:
            become()
        except BaseException:
            if os.path.isdir(folder):
                sys.excepthook(*sys.exc_info())
                sys.stderr.flush()
        finally:
            os._exit(_UNUSABLE)

    def add(self, pid: int, folder: str) -> None:
        """Add a child that was started without a fork."""
        self.folders[pid] = folder

    def kill(self, folder: str) -> None:
        """End a child with its session, if it has not been reaped."""
        for pid in [pid for pid, started in self.folders.items() if started == folder]:
            for kill in (os.killpg, os.kill):  # the latter reaches a child that has no session yet
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    kill(pid, signal.SIGKILL)

    # -- hearing and reaping --------------------------------------------------------------------------------------

    def begun(self) -> list[str]:
        """Return the folders of living children that have reported their start."""
        self._listen()
        return [self.folders[pid] for pid in self._begun if pid in self.folders]

    def _listen(self) -> None:
        """Note which children have begun; each reports it before it can end."""
        with contextlib.suppress(BlockingIOError):
            while said := os.read(self._telling, worker.BYTES_OF_PID << 12):
                starts = range(0, len(said), worker.BYTES_OF_PID)
                self._begun.update(int.from_bytes(said[at : at + worker.BYTES_OF_PID], "little") for at in starts)

    def reap(self) -> Iterator[Reaped]:
        """Reap the children that have ended, one by one; orphans are reaped too, but not reported."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            folder = self.folders.pop(pid, None)
            left = self._left_by(pid, folder)
            if folder is not None:
                self._listen()
                cpu_seconds = usage.ru_utime + usage.ru_stime
                yield Reaped(folder, status, usage.ru_maxrss * 1024, cpu_seconds, pid in self._begun, left)
            self._begun.discard(pid)

    def _left_by(self, reaped: int, folder: str | None) -> list[dict[str, Any]]:
        """Return the identity of each new process that carries the mark of a child that has been reaped.

        Of the processes without a mark that several children may have left, only those in the session of this one. What an
        orphan leaves belongs to no attempt.
        """
        pids = tree.pids_of_children()
        others = tree.states(pid for pid in pids if pid not in self.folders)
        new = [state for state in others if state.pid not in self._strangers]
        ambiguous = bool(new) and any(state.state == "Z" for state in tree.states(pid for pid in pids if pid in self.folders))
        mark = None if folder is None or not new else process_mark.of_attempt(folder)
        mine = [state for state in new if _is_of(state, reaped, mark, ambiguous=ambiguous)]
        self._strangers = {state.pid for state in others if state not in new or state in mine}
        return [] if folder is None else [identity.of(state).to_json() for state in mine]


def _is_of(state: ProcessState, child: int, mark: int | None, *, ambiguous: bool) -> bool:
    """Return whether a process was left by a given dead child."""
    found = process_mark.of_process(state.pid)
    return (state.session == child or not ambiguous) if found is None else found == mark
