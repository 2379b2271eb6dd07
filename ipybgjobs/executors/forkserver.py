"""The fork server: a process of its own that starts attempts and sees how they end.

Single-threaded, without user code and without a database handle; so a fork of it is cheap and sound. It is told what to
launch over a channel, and reports each end with exit status and resource use. A report is kept
until it is acknowledged. If the supervisor dies, the channel closes: it forks no more, starts a supervisor, writes the reports
that nobody acknowledged to the attempt folders, and stays until what it started has ended.
"""

import contextlib
import gc
import os
import select
import signal
import socket
import sys
import time
import traceback  # noqa: F401 - loaded before the fork: a job that fails needs it
from typing import Any

from .. import attempt, summon
from ..errors import StoreError
from ..folder import StateFolder
from ..process import identity, tree, worker
from ..worker import run
from .channel import Channel

#: Seconds: a supervisor that dies younger than the one is followed after the other.
_YOUNG, _PAUSE = 2.0, 1.0


def main(state_dir: str, descriptor: int) -> None:
    """Serve until the supervisor says goodbye, or is gone and everything has ended."""
    tree.adopt_orphans()
    identity.learn_constants()
    gc.collect()
    gc.freeze()  # and it stays frozen in the workers: a collection there would touch, and so copy, every page
    ForkServer(StateFolder(state_dir), socket.socket(fileno=descriptor)).serve()


class ForkServer:
    """What the process knows: who it started, and what it has yet to report."""

    def __init__(self, folder: StateFolder, channel: socket.socket) -> None:
        self._folder = folder
        self._started = time.monotonic()
        self._channel: Channel | None = Channel(channel)
        self._folders: dict[int, str] = {}  # of living children, by PID
        self._unacknowledged: dict[str, dict[str, Any]] = {}  # reports, by attempt folder
        self._followed = True  # whether a supervisor that is gone is to be followed by another
        self._children, wake = os.pipe()
        for end in (self._children, wake):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    def serve(self) -> None:
        """Launch and reap until there is nobody to serve and nothing to reap."""
        while self._channel is not None or self._folders:
            ready = self._wait()
            if self._children in ready:
                os.read(self._children, 4096)
                self._reap()
            if self._channel is not None and self._channel.fileno() in ready:
                self._channel.flush()
                self._obey(self._channel)

    def _wait(self) -> set[int]:
        waiting = select.poll()
        waiting.register(self._children, select.POLLIN)
        if self._channel is not None:
            waiting.register(self._channel, select.POLLIN | (select.POLLOUT if self._channel.pending else 0))
        return {descriptor for descriptor, _ in waiting.poll()}

    def _obey(self, channel: Channel) -> None:
        """Do what has been said."""
        messages, there = channel.receive()
        goodbye = False
        for message in messages:
            goodbye |= "goodbye" in message
            self._followed &= "alone" not in message
            for folder in message.get("acknowledge", ()):
                self._unacknowledged.pop(folder, None)
            if there and "launch" in message:
                self._launch(message["launch"])
            if "kill" in message:
                self._kill(message["kill"])
        if there and not goodbye:
            return
        self._channel = None
        channel.close()
        if not goodbye:
            self._orphaned()

    def _launch(self, launch: dict[str, Any]) -> None:
        threads = len(os.listdir("/proc/self/task"))
        if threads != 1:
            raise RuntimeError(f"the fork server has {threads} threads; a fork of it would not be sound")
        pid = os.fork()
        if pid:
            self._folders[pid] = launch["folder"]
            return
        try:
            self._become_worker(launch)
        except BaseException:
            if os.path.isdir(launch["folder"]):  # else it was taken away with the store: nobody is there to be told
                sys.excepthook(*sys.exc_info())
                sys.stderr.flush()
        finally:
            os._exit(70)

    def _kill(self, folder: str) -> None:
        """End a worker with its session, if it has not been reaped."""
        for pid in [pid for pid, started in self._folders.items() if started == folder]:
            for kill in (os.killpg, os.kill):  # the latter reaches a child that has no session yet
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    kill(pid, signal.SIGKILL)

    def _become_worker(self, launch: dict[str, Any]) -> None:
        """In the child: never returns."""
        folder = launch["folder"]
        worker.reset_signals()
        worker.new_session()
        tree.adopt_orphans()
        worker.redirect_output(launch["output"] or f"{folder}/{attempt.OUTPUT}")
        if launch["command"] is None:
            run.main(folder, launch["environment"])
        os.execve(launch["command"][0], launch["command"], launch["environment"])

    def _reap(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            folder = self._folders.pop(pid, None)
            if folder is not None:  # else what a worker left behind: adopted, and reaped like any
                self._report(folder, {"status": status, "peak": usage.ru_maxrss * 1024, "cpu": usage.ru_utime + usage.ru_stime})

    def _report(self, folder: str, report: dict[str, Any]) -> None:
        report["folder"] = folder
        if self._channel is None:
            _keep(folder, report)
            return
        self._unacknowledged[folder] = report
        self._channel.send(report)

    def _orphaned(self) -> None:
        """The supervisor is gone."""
        for folder, report in self._unacknowledged.items():
            _keep(folder, report)
        self._unacknowledged.clear()
        if not self._followed:
            return  # the next opening of the store starts one
        if time.monotonic() < self._started + _YOUNG:
            time.sleep(_PAUSE)  # its supervisor could hardly start: no hurry with the next
        with contextlib.suppress(OSError, StoreError):  # the next opening of the store starts one
            summon.start(self._folder)


def _keep(folder: str, report: dict[str, Any]) -> None:
    """Write how an attempt ended to its folder; where that can't be done, nobody saw it."""
    with contextlib.suppress(OSError):
        attempt.write_json(folder, attempt.EXIT, report)
