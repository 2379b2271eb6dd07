"""The fork server: a process of its own that starts attempts and sees how they end.

It is single-threaded and has no user code and no database handle, so forking it is cheap and safe. It receives launches
over a channel, and reports each end with exit status and resource use. A report is kept until it is acknowledged. If the
supervisor dies, the channel closes: the fork server then launches nothing more, writes the unacknowledged reports to the
attempt folders, starts supervisors until one holds the lock, and stays until everything that it started has ended.

Forking a process with several threads is unsafe. If something has started a thread (a ``sitecustomize``), each launch is
a fresh process. An attempt that can't be launched is refused with the reason, and was not started.
"""

import contextlib
import gc
import os
import select
import signal
import socket
import sys
import traceback  # noqa: F401 - loaded before the fork: a job that fails needs it
from typing import Any

from ..state import attempt, occupancy
from ..state.folder import StateFolder
from ..system import identity, mark, private_file, tree, worker
from ..system import launch as launching
from ..system.open_folder import HeldFolder
from ..worker import run
from .channel import Channel
from .orphans import Orphans
from .succession import Succession


def main(state_dir: str, descriptor: int) -> None:
    """Serve until the supervisor says goodbye, or until it is gone and everything has ended."""
    tree.adopt_orphans()
    identity.learn_constants()
    folder = StateFolder(state_dir)
    gc.collect()
    gc.freeze()  # objects stay frozen in the workers: a collection there would touch, and so copy, every page
    with contextlib.closing(occupancy.enter(folder)):  # while it lives, its place counts as alive
        ForkServer(folder, socket.socket(fileno=descriptor)).serve()


class ForkServer:
    """The state of the process: the children that it started and the reports that it still has to make."""

    def __init__(self, folder: StateFolder, channel: socket.socket) -> None:
        self._held = HeldFolder(folder.path)
        self._channel: Channel | None = Channel(channel)
        self._supervisor = os.getppid()
        self._succession = Succession(folder, self._supervisor)
        self._folders: dict[int, str] = {}  # of living children, by PID
        self._orphans = Orphans()
        self._unacknowledged: dict[str, dict[str, Any]] = {}  # reports, by attempt folder
        self._followed = True  # whether to start a new supervisor when this one is gone
        self._children, wake = os.pipe()
        self._telling, self._begins = os.pipe()
        self._begun: set[int] = set()  # PIDs of children that have reported their start, until they are reaped
        for end in (self._children, wake, self._telling, self._begins):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, lambda *_: None)  # not SIG_IGN, which a fresh process would inherit
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    def serve(self) -> None:
        """Launch and reap until there is no supervisor to serve and nothing to reap."""
        while self._channel is not None or self._folders or self._succession.open:
            ready = self._wait()
            self._succession.step()
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
        return {descriptor for descriptor, _ in waiting.poll(self._succession.patience())}

    def _obey(self, channel: Channel) -> None:
        """Carry out the received messages."""
        messages, there = channel.receive()
        goodbye = False
        for message in messages:
            goodbye |= "goodbye" in message
            self._followed &= "abandoned" not in message
            for folder in message.get("acknowledge", ()):
                self._unacknowledged.pop(folder, None)
            if there and "launch" in message:
                channel.send(self._launch(message["launch"]))
            if "kill" in message:
                self._kill(message["kill"])
            if "ping" in message:
                self._listen()
                begun = [self._folders[pid] for pid in self._begun if pid in self._folders]
                channel.send({"pong": message["ping"], "begun": begun})
        if there and not goodbye:
            return
        self._channel = None
        channel.close()
        if not goodbye:
            self._orphaned(begin=self._followed)

    def _launch(self, launch: dict[str, Any]) -> dict[str, Any]:
        """Start an attempt; return the message about it."""
        try:
            pid = self._fork(launch) if identity.is_single_threaded() else self._start_fresh(launch)
        except OSError as error:
            return {"refused": launch["folder"], "reason": launching.reason(error)}
        self._folders[pid] = launch["folder"]
        return {"launched": launch["folder"]}

    def _start_fresh(self, launch: dict[str, Any]) -> int:
        from . import fresh

        return fresh.start(launch, self._begins)

    def _fork(self, launch: dict[str, Any]) -> int:
        pid = os.fork()
        if pid:
            return pid
        try:
            self._become_worker(launch)
        except BaseException:
            if os.path.isdir(launch["folder"]):  # else it was moved away with the store, and nobody needs the report
                sys.excepthook(*sys.exc_info())
                sys.stderr.flush()
        finally:
            os._exit(70)

    def _kill(self, folder: str) -> None:
        """Kill a worker with its session, if it has not been reaped."""
        for pid in [pid for pid, started in self._folders.items() if started == folder]:
            for kill in (os.killpg, os.kill):  # the latter reaches a child that has no session yet
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    kill(pid, signal.SIGKILL)

    def _become_worker(self, launch: dict[str, Any]) -> None:
        """Run the worker in the child; never returns."""
        folder = launch["folder"]
        os.dup2(self._begins, worker.TELLING)
        worker.reset_signals()
        worker.new_session()
        tree.adopt_orphans()
        mark.put_on(mark.of_attempt(folder))
        worker.redirect_output(launch["output"] or f"{folder}/{attempt.OUTPUT}")
        if launch["forked"]:
            run.main(folder, launch["environment"], worker.TELLING)
        os.execve(launch["command"][0], [*launch["command"], f"{worker.TELLS}{worker.TELLING}"], launch["environment"])

    def _reap(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            folder = self._folders.pop(pid, None)
            left = self._orphans.of(pid, self._folders, folder)
            if folder is not None:  # else a process that a worker left behind: adopted, and reaped like any other
                used = {"peak": usage.ru_maxrss * 1024, "cpu": usage.ru_utime + usage.ru_stime}
                self._listen()
                self._report(folder, {"status": status, "left": left, "begun": pid in self._begun, **used})
            self._begun.discard(pid)

    def _listen(self) -> None:
        """Note which children have begun; each reports it before it can end."""
        with contextlib.suppress(BlockingIOError):
            while said := os.read(self._telling, worker.BYTES_OF_PID << 12):
                starts = range(0, len(said), worker.BYTES_OF_PID)
                self._begun.update(int.from_bytes(said[at : at + worker.BYTES_OF_PID], "little") for at in starts)

    def _report(self, folder: str, report: dict[str, Any]) -> None:
        report["folder"] = folder
        if self._channel is None:
            self._keep(folder, report)
            return
        self._unacknowledged[folder] = report
        self._channel.send(report)

    def _orphaned(self, *, begin: bool) -> None:
        """Handle the loss of the supervisor: it is gone, or has given up this fork server, and then none is to start."""
        for folder, report in self._unacknowledged.items():
            self._keep(folder, report)
        self._unacknowledged.clear()
        if begin:
            self._succession.begin()

    def _keep(self, folder: str, report: dict[str, Any]) -> None:
        """Write how an attempt ended to its folder, wherever that is now; if that fails, its end is unknown."""
        with contextlib.suppress(OSError):
            private_file.write_json(self._held.reach(folder), attempt.EXIT, report)
