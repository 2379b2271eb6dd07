"""Attempts on this machine: launched by a fork server, watched by it or, where it is not their parent, by a process handle.

Its caller waits on `filenos` and then asks `ended`. It never blocks.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from .. import reports
from ..folder import StateFolder
from ..process import identity
from ..process.identity import ProcessIdentity
from ..process.launch import lean_environment
from ..roles import command
from .channel import Channel


@dataclass(frozen=True, slots=True)
class Launch:
    """An attempt to be launched.

    Parameters
    ----------
    folder : str
        The attempt folder, with its request.
    command : sequence of str or None
        What to execute; None: run in the fork itself.
    environment : dict of str to str
        Environment variables; they go by the channel, and stand in no file.
    output : str or None
        The file that it prints to; None: the folder's own.
    """

    folder: str
    command: Sequence[str] | None
    environment: dict[str, str]
    output: str | None = None


@dataclass(frozen=True, slots=True)
class Exit:
    """The end of an attempt's process; what nobody saw is None."""

    folder: str
    status: int | None = None  #: as from `os.wait`
    peak_memory: int | None = None  #: bytes
    cpu_seconds: float | None = None


class _Server:
    """One fork server."""

    def __init__(self, folder: StateFolder) -> None:
        ours, theirs = socket.socketpair()
        self.channel = Channel(ours)
        self.packages = _packages()
        self.folders: set[str] = set()
        errors = os.open(folder.errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with theirs:
            self.process = subprocess.Popen(
                command("forkserver", folder.path, str(theirs.fileno())),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=lean_environment(os.environ),
                cwd="/",
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        os.close(errors)

    def close(self) -> None:
        self.channel.close()
        self.process.wait()


def _packages() -> tuple[tuple[str, int], ...]:
    """What a fork server can't notice after its start: packages installed, the interpreter replaced."""
    places = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    return tuple((path, os.stat(path).st_mtime_ns) for path in (*places, sys.executable) if os.path.exists(path))


class LocalExecutor:
    """Launches attempts here, and notices their ends.

    Parameters
    ----------
    folder : StateFolder
        The state folder.
    """

    def __init__(self, folder: StateFolder) -> None:
        self._folder = folder
        self._servers: list[_Server] = []  # the last one forks; the others wait for what they forked
        self._handles: dict[int, str] = {}  # attempt folders, by handle of a process that is not a server's
        self._orphans: list[str] = []  # whose server has died, by folder

    def prepare(self) -> None:
        """Have a fork server that knows what is installed."""
        if self._servers and self._servers[-1].packages == _packages():
            return
        self._servers.append(_Server(self._folder))

    def filenos(self) -> list[int]:
        """Descriptors that become readable when there is news."""
        return [*(server.channel.fileno() for server in self._servers), *self._handles]

    @property
    def pending(self) -> bool:
        """Whether a fork server has yet to take what it was sent."""
        return any(server.channel.pending for server in self._servers)

    def launch(self, launches: Sequence[Launch]) -> None:
        """Start attempts."""
        if not launches:
            return
        self.prepare()
        server = self._servers[-1]
        server.folders.update(launch.folder for launch in launches)
        for launch in launches:
            server.channel.send({"launch": asdict(launch)})

    def watch(self, folder: str, process: ProcessIdentity) -> bool:
        """Watch the process of an attempt that another launched; False if it has ended."""
        handle = identity.open_handle(process)
        if handle is None:
            return False
        self._handles[handle] = folder
        return True

    def kill(self, folder: str) -> bool:
        """Have the process of an attempt killed by whoever launched or watches it; False if nobody does."""
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
        return exits

    def _reports(self, server: _Server) -> list[Exit]:
        reports, alive = server.channel.receive()
        server.folders.difference_update(report["folder"] for report in reports)
        if not alive:
            self._orphans += server.folders
            self._servers.remove(server)
            server.close()
        return [Exit(r["folder"], r["status"], r["peak"], r["cpu"]) for r in reports]

    def orphaned(self) -> list[str]:
        """Return, once, the folders of attempts whose fork server has died: whether they run is to be looked at."""
        orphans, self._orphans = self._orphans, []
        return orphans

    def acknowledge(self, folders: Sequence[str]) -> None:
        """Say that reports are safe in the store."""
        for server in list(self._servers):
            if folders:
                server.channel.send({"acknowledge": list(folders)})
            if server is not self._servers[-1] and not server.folders:
                self._dismiss(server)

    def _dismiss(self, server: _Server) -> None:
        server.channel.send({"goodbye": True})
        self._servers.remove(server)
        server.close()

    def leave(self) -> None:
        """Let go of what runs: each fork server stays until its children have ended, and starts no supervisor."""
        for server in self._servers:
            server.channel.send({"alone": True})
            server.channel.close()
        self._servers.clear()

    def close(self) -> None:
        """Let the fork servers end; only when nothing runs."""
        for server in list(self._servers):
            self._dismiss(server)
        for handle in self._handles:
            os.close(handle)
        self._handles.clear()


def exit_from_folder(folder: str) -> Exit:
    """Return what an orphaned fork server wrote of an attempt's end; unknown where it wrote nothing."""
    return Exit(folder, *(reports.left(folder) or reports.Left()))
