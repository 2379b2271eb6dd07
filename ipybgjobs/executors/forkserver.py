"""The fork server: a process of its own that starts attempts and sees how they end.

Single-threaded, without user code and without a database handle; so a fork of it is cheap and sound. It is told what to
launch over a channel, one JSON message a packet, and reports each end with exit status and resource use. A report is kept
until it is acknowledged. If the supervisor dies, the channel closes: it forks no more, starts a supervisor, writes the reports
that nobody acknowledged to the attempt folders, and stays until what it started has ended.
"""

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import time
import traceback  # noqa: F401 - loaded before the fork: a job that fails needs it
from typing import Any

from .. import attempt, summon
from ..folder import StateFolder
from ..process import identity, tree, worker
from ..worker import context, run

_PACKET = 1 << 16

#: Seconds: a supervisor that dies younger than the one is followed after the other.
_YOUNG, _PAUSE = 2.0, 1.0


def main(state_dir: str, descriptor: int) -> None:
    """Serve until the supervisor says goodbye, or is gone and everything has ended."""
    tree.adopt_orphans()
    identity.learn_constants()
    gc.collect()
    gc.freeze()
    ForkServer(StateFolder(state_dir), socket.socket(fileno=descriptor)).serve()


class ForkServer:
    """What the process knows: who it started, and what it has yet to report."""

    def __init__(self, folder: StateFolder, channel: socket.socket) -> None:
        self._folder = folder
        self._started = time.monotonic()
        self._channel: socket.socket | None = channel
        self._folders: dict[int, str] = {}  # of living children, by PID
        self._unacknowledged: dict[str, dict[str, Any]] = {}  # reports, by attempt folder
        self._children, wake = os.pipe()
        for end in (self._children, wake):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    def serve(self) -> None:
        """Launch and reap until there is nobody to serve and nothing to reap."""
        waiting = select.poll()
        waiting.register(self._children, select.POLLIN)
        if self._channel is not None:
            waiting.register(self._channel, select.POLLIN)
        while self._channel is not None or self._folders:
            ready = {descriptor for descriptor, _ in waiting.poll()}
            if self._children in ready:
                os.read(self._children, 4096)
                self._reap()
            if self._channel is not None and self._channel.fileno() in ready and not self._receive(self._channel):
                waiting.unregister(self._channel)
                self._channel.close()
                self._channel = None

    def _receive(self, channel: socket.socket) -> bool:
        """Do what one message says; False where no more will come."""
        try:
            packet = channel.recv(_PACKET)
        except ConnectionError:
            packet = b""
        if not packet:
            self._orphaned()
            return False
        message = json.loads(packet)
        for folder in message.get("acknowledge", ()):
            self._unacknowledged.pop(folder, None)
        for launch in message.get("launch", ()):
            self._launch(launch)
        return "goodbye" not in message

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
            sys.excepthook(*sys.exc_info())
            sys.stderr.flush()
        finally:
            os._exit(70)

    def _become_worker(self, launch: dict[str, Any]) -> None:
        """In the child: never returns."""
        folder = launch["folder"]
        worker.reset_signals()
        worker.new_session()
        tree.adopt_orphans()
        worker.redirect_output(f"{folder}/{attempt.OUTPUT}")
        gc.unfreeze()
        if launch["command"] is None:
            run.main(folder)
        environment = context.read_environment(folder)
        os.execve(launch["command"][0], launch["command"], environment)

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
            attempt.write_json(folder, attempt.EXIT, report)
            return
        self._unacknowledged[folder] = report
        with contextlib.suppress(OSError):  # gone: the channel's end is about to be read, and the report written to its folder
            self._channel.send(json.dumps(report).encode())

    def _orphaned(self) -> None:
        """The supervisor is gone."""
        for folder, report in self._unacknowledged.items():
            if os.path.isdir(folder):
                attempt.write_json(folder, attempt.EXIT, report)
        self._unacknowledged.clear()
        if time.monotonic() < self._started + _YOUNG:
            time.sleep(_PAUSE)  # its supervisor could hardly start: no hurry with the next
        summon.start(self._folder)
