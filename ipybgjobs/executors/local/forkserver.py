"""The fork server: a separate process that starts attempts and sees how they end.

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
import socket
import sys
import traceback  # noqa: F401 - loaded before the fork: a job that fails needs it
from typing import Any

from ...state import attempt, occupancy
from ...state import request as requests
from ...state.folder import StateFolder
from ...system import identity, place, private_file, process_mark, tree, worker
from ...system import launch as launching
from ...system.children import Children, Reaped
from ...system.open_folder import HeldFolder
from ...worker import run
from .channel import Channel
from .succession import Succession
from .variables import Variables

#: Milliseconds for which a message may wait for others.
_HOLDING = 20


def main(state_dir: str, descriptor: int) -> None:
    """Serve until the supervisor closes it, or until the supervisor is gone and everything has ended."""
    tree.adopt_orphans()
    place.learn_constants()
    worker.read_nothing()
    reserve = worker.Reserve()
    folder = StateFolder(state_dir)
    sys.path_importer_cache.clear()  # here, since the workers empty it: that would copy all of its pages
    gc.collect()
    gc.freeze()  # objects stay frozen in the workers: a collection there would touch, and so copy, every page
    with contextlib.closing(occupancy.enter(folder)):  # while it lives, its place counts as alive
        ForkServer(folder, socket.socket(fileno=descriptor), reserve).serve()


class ForkServer:
    """The state of the process: the children that it started and the reports that it still has to make."""

    def __init__(self, folder: StateFolder, channel: socket.socket, reserve: worker.Reserve) -> None:
        self._held = HeldFolder(folder.path)
        self._channel: Channel | None = Channel(channel)
        self._supervisor = os.getppid()
        self._succession = Succession(folder, self._supervisor)
        self._children = Children()
        self._reserve = reserve
        self._is_holding = False  # whether the channel has a message that may wait for others
        self._variables = Variables()
        self._unacknowledged: dict[str, dict[str, Any]] = {}  # reports, by attempt folder
        self._followed = True  # whether to start a new supervisor when this one is gone

    def serve(self) -> None:
        """Launch and reap until there is no supervisor to serve and nothing to reap."""
        while self._channel is not None or self._children.folders or self._succession.open:
            ended, heard = self._wait()
            self._succession.step()
            if ended:
                for child in self._children.reap():
                    self._report(child)
            if self._channel is not None and heard:
                self._channel.flush()
                self._handle(self._channel)

    def _wait(self) -> tuple[bool, bool]:
        """Wait for news; what the supervisor need not know at once is sent with other news, or a little later."""
        milliseconds, self._is_holding, was_holding = self._succession.milliseconds_until_due(), False, self._is_holding
        if was_holding:
            milliseconds = _HOLDING if milliseconds is None else min(_HOLDING, milliseconds)
        channel = None if self._channel is None else self._channel.fileno()
        sending = self._channel is not None and self._channel.pending and not was_holding
        ended, heard = self._children.wait(channel, milliseconds, sending=sending)
        return ended, heard or (was_holding and not ended)

    def _handle(self, channel: Channel) -> None:
        """Carry out the received messages."""
        messages, there = channel.receive()
        goodbye = False
        for message in messages:
            goodbye |= "goodbye" in message
            self._followed &= "abandoned" not in message
            for folder in message.get("acknowledge", ()):
                self._unacknowledged.pop(folder, None)
            if "environment" in message:
                self._variables.take(message["environment"])
            if there and "launch" in message:
                self._answer(channel, self._launch(message["launch"], message["content"]))
            if "kill" in message:
                self._children.kill(message["kill"])
            if "ping" in message:
                channel.send({"pong": message["ping"], "begun": self._children.begun()})
        if there and not goodbye:
            return
        self._channel = None
        channel.close()
        if not goodbye:
            self._orphaned(begin=self._followed)

    def _answer(self, channel: Channel, answer: dict[str, Any]) -> None:
        """Send the message about a launch, of which a supervisor need not know at once if it worked."""
        if "launched" in answer:
            channel.add(answer)
            self._is_holding = True
        else:
            channel.send(answer)

    def _launch(self, launch: dict[str, Any], content: bytes) -> dict[str, Any]:
        """Start an attempt; return the message about it."""
        folder = launch["folder"]
        if self._variables.problem is not None:
            return {"refused": folder, "reason": self._variables.problem}
        try:
            if not identity.is_single_threaded():
                requests.write(folder, content)
                self._start_fresh(launch)
            elif launch["forked"]:
                self._fork(launch, content)
            else:
                requests.write(folder, content)
                self._children.fork(folder, lambda: self._execute(launch))
        except OSError as error:
            return {"refused": folder, "reason": launching.reason(error)}
        return {"launched": folder}

    def _start_fresh(self, launch: dict[str, Any]) -> None:
        from . import fresh

        self._children.add(fresh.start(launch, dict(os.environ), self._children.begins), launch["folder"])

    def _fork(self, launch: dict[str, Any], content: bytes) -> None:
        """Fork a worker. What it needs is made ready here: the first use of anything costs a fork more than its parent."""
        folder, request = launch["folder"], requests.parse(content)
        mark = process_mark.of_attempt(folder)

        def become() -> None:
            self._set_up(launch, mark)
            if request is not None:
                run.perform(folder, request, content, self._reserve, worker.TELLING)

        self._children.fork(folder, become)

    def _execute(self, launch: dict[str, Any]) -> None:
        """Become a fresh process; never returns."""
        self._set_up(launch, process_mark.of_attempt(launch["folder"]))
        os.execv(launch["command"][0], [*launch["command"], f"{worker.TELLS}{worker.TELLING}"])

    def _set_up(self, launch: dict[str, Any], mark: int) -> None:
        """Make the child a process of its own."""
        os.dup2(self._children.begins, worker.TELLING)
        worker.reset_signals()
        worker.new_session()
        tree.adopt_orphans()
        process_mark.apply(mark)
        worker.redirect_output(launch["output"] or f"{launch['folder']}/{attempt.OUTPUT}", self._reserve)

    def _report(self, child: Reaped) -> None:
        report = {"folder": child.folder, "status": child.status, "left": child.left, "begun": child.begun}
        report |= {"peak": child.peak_memory, "cpu": child.cpu_seconds}
        if self._channel is None:
            self._keep(child.folder, report)
            return
        self._unacknowledged[child.folder] = report
        self._channel.send(report)

    def _orphaned(self, *, begin: bool) -> None:
        """Handle the loss of the supervisor: it is gone, or it has abandoned this fork server, which then starts none."""
        for folder, report in self._unacknowledged.items():
            self._keep(folder, report)
        self._unacknowledged.clear()
        self._variables.restore()  # a supervisor gets nothing of a job
        if begin:
            self._succession.begin()

    def _keep(self, folder: str, report: dict[str, Any]) -> None:
        """Write how an attempt ended to its folder, wherever that is now; if that fails, its end is unknown."""
        with contextlib.suppress(OSError):
            private_file.write_json(self._held.reach(folder), attempt.EXIT, report)
