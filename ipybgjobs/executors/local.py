"""Attempts on this machine: launched by a fork server, watched by it or, if it is not their parent, by a process handle.

The caller waits on `filenos` and then calls `ended`. Nothing here blocks. A fork server that does not answer is given up:
another one launches the attempts that it has not, and those that it has launched are watched by handles.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..state import reports
from ..state.folder import StateFolder
from ..system import identity, launch
from ..system.identity import ProcessIdentity
from .server import Departing, Launch, Server, packages


@dataclass(frozen=True, slots=True)
class Exit:
    """The end of an attempt's process; unknown values are None."""

    folder: str
    status: int | None = None  #: as from `os.wait`
    peak_memory: int | None = None  #: bytes
    cpu_seconds: float | None = None
    left: tuple[ProcessIdentity, ...] = field(default=())  #: processes that its end made orphans
    begun: bool = False  #: whether it is known to have begun, whatever its start marker says


@dataclass(frozen=True, slots=True)
class Refusal:
    """An attempt that could not be launched and has not run, with the reason."""

    folder: str
    reason: str


class LocalExecutor:
    """Launches attempts here, and notices their ends.

    Parameters
    ----------
    folder : StateFolder
        The state folder.
    clock : callable
        The monotonic clock, in seconds.
    """

    def __init__(self, folder: StateFolder, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._clock = clock
        self._servers: list[Server] = []  # the last one launches; the others wait for what they launched
        self._silent: list[tuple[Server, float]] = []  # given up because they do not answer; each with seconds since the epoch
        self._departing = Departing(clock)
        self._handles: dict[int, str] = {}  # attempt folders, by handle of a process that is not a child of a server
        self._orphans: list[str] = []  # folders of attempts whose server has died
        self._refused: list[Refusal] = []
        self.begun: set[str] = set()  #: folders of attempts that have begun and whose server has died or is silent
        self.launched = False  #: whether an attempt has been launched since this was last set to false

    def prepare(self) -> str | None:
        """Ensure that a fork server knows the installed packages; return the reason if there is none."""
        if self._servers and self._servers[-1].packages == packages():
            return None
        try:
            self._servers.append(Server(self._folder, self._clock))
        except OSError as error:
            # An existing one can still launch: an environment that was deleted must not stop the jobs of others.
            return None if self._servers else f"the fork server could not be started: {launch.reason(error)}"
        return None

    @property
    def is_stranded(self) -> bool:
        """Return whether nothing can be launched any more: the interpreter is gone, and there is no earlier fork server."""
        return not self._servers and not os.path.exists(sys.executable)

    def filenos(self) -> list[int]:
        """Return the descriptors that become readable when there is news."""
        return [*(server.channel.fileno() for server in self._servers), *self._handles]

    @property
    def pending(self) -> bool:
        """Return whether a fork server has not yet accepted everything that it was sent."""
        return any(server.channel.pending for server in self._servers)

    def patience(self) -> float | None:
        """Return the seconds until a fork server needs to be checked; None if there is none."""
        return min((found for server in self._servers if (found := server.patience()) is not None), default=None)

    @property
    def problem(self) -> str | None:
        """Describe the fork server that does not answer; None if all do."""
        if not self._silent:
            return None
        server, since = self._silent[-1]
        clock = time.strftime("%H:%M:%S", time.localtime(since))
        return f"the fork server (PID {server.process.pid}) has not answered since {clock}; another one is launching jobs instead"

    def launch(self, launches: Sequence[Launch]) -> None:
        """Start attempts; those that can't be started are refused."""
        if not launches:
            return
        reason = self.prepare()
        if reason is not None:
            self._refused += [Refusal(each.folder, reason) for each in launches]
            return
        for each in launches:
            self._servers[-1].launch(each)

    def watch(self, folder: str, process: ProcessIdentity) -> bool:
        """Watch the process of an attempt that another supervisor launched; False if it has ended."""
        handle = identity.open_handle(process)
        if handle is None:
            return False
        self._handles[handle] = folder
        return True

    def kill(self, folder: str) -> bool:
        """Kill the process of an attempt through the server or handle that watches it; False if none does."""
        for server in self._servers:
            if folder in server.folders:
                server.channel.send({"kill": folder})
                return True
        for handle, watched in self._handles.items():
            if watched == folder:
                identity.kill_by_handle(handle)
                return True
        return False

    def ended(self, ready: Iterable[int]) -> list[Exit]:
        """Return the attempts whose processes have ended."""
        exits: list[Exit] = []
        descriptors = set(ready)
        for server in list(self._servers):
            server.channel.flush()
            if server.channel.fileno() in descriptors:
                exits += self._reports(server)
        for handle in descriptors & self._handles.keys():
            exits.append(Exit(self._handles.pop(handle)))
            os.close(handle)
        for server in [each for each in self._servers if each.look()]:
            self._give_up(server)
        self._departing.step()
        return exits

    def _reports(self, server: Server) -> list[Exit]:
        messages, there = server.receive()
        reports = [message for message in messages if "folder" in message]
        refused = [Refusal(message["refused"], message["reason"]) for message in messages if "refused" in message]
        self._refused += refused
        self.launched |= any("launched" in message for message in messages)
        server.folders.difference_update([report["folder"] for report in reports], [each.folder for each in refused])
        if not there:
            self._lose(server)
        return [_exit(report["folder"], report) for report in reports]

    def _lose(self, server: Server) -> None:
        """Handle the death of a fork server: check the attempts that it launched, and refuse the others."""
        if not server.has_launched and server.folders:
            reason = "the fork server exited before it launched anything; see supervisor.err"
            self._refused += [Refusal(folder, reason) for folder in server.folders]
            server.folders.clear()
        self._orphans += server.folders
        self.begun |= server.begun & server.folders
        self._servers.remove(server)
        self._departing.add(server)

    def _give_up(self, server: Server) -> None:
        """Give up a fork server that does not answer: it must launch nothing more, even if it resumes."""
        self._silent.append((server, time.time() - server.silent_for))
        self._servers.remove(server)
        self._orphans += server.folders
        self.begun |= server.begun & server.folders
        server.channel.send({"abandoned": True})
        server.channel.close()
        self.prepare()

    def orphaned(self) -> list[str]:
        """Return, once, the folders of attempts whose fork server has died or is silent, so that the caller checks them."""
        orphans, self._orphans = self._orphans, []
        return orphans

    def refused(self) -> list[Refusal]:
        """Return, once, the attempts that could not be launched."""
        refused, self._refused = self._refused, []
        return refused

    def acknowledge(self, folders: Sequence[str]) -> None:
        """Confirm that reports are safely in the store."""
        for server in list(self._servers):
            if folders:
                server.channel.send({"acknowledge": list(folders)})
            if server is not self._servers[-1] and not server.folders:
                self._dismiss(server)
        self.begun.difference_update(folders)
        for server, since in list(self._silent):
            server.folders.difference_update(folders)
            if not server.folders or server.process.poll() is not None:
                self._silent.remove((server, since))
                server.process.kill()  # nothing that it launched is left
                self._departing.add(server)

    def _dismiss(self, server: Server) -> None:
        server.channel.send({"goodbye": True})
        self._servers.remove(server)
        self._departing.add(server)

    def leave(self) -> None:
        """Leave running attempts alone: each fork server stays until its children have ended, and starts no supervisor."""
        for server in self._servers:
            server.channel.send({"abandoned": True})
            server.channel.close()
        self._servers.clear()

    def close(self) -> None:
        """Stop the fork servers; only when nothing runs."""
        for server in list(self._servers):
            self._dismiss(server)
        for server, _ in self._silent:
            server.process.kill()
            self._departing.add(server)
        self._departing.close()
        for handle in self._handles:
            os.close(handle)
        self._handles.clear()


def exit_from_folder(folder: str) -> Exit:
    """Return the end of an attempt as an orphaned fork server recorded it; unknown if it wrote nothing."""
    left = reports.left(folder) or reports.Left()
    orphans = tuple(ProcessIdentity(*each) for each in left.orphans)
    return Exit(folder, left.status, left.peak_memory, left.cpu_seconds, orphans, left.begun)


def _exit(folder: str, report: dict[str, Any]) -> Exit:
    """Return the end that a fork server has reported."""
    orphans = tuple(ProcessIdentity(**each) for each in report.get("left", ()))
    begun = report.get("begun") is True
    return Exit(folder, report.get("status"), report.get("peak"), report.get("cpu"), orphans, begun)
