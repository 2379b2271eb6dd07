"""Attempts on this machine: launched by a fork server, watched by it or, if it is not their parent, by a process handle.

The caller waits on `filenos` and then polls. Nothing here blocks. A fork server that does not answer is abandoned: another one
launches its remaining attempts, and those that it has launched are watched by handles.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ...state.folder import StateFolder
from ...system import exit_status, identity, installed, launch
from ...system.identity import ProcessIdentity
from ..events import Event, Launched, Refusal, Unwatched
from ..executor import AttemptStatus, Capabilities, Executor, Finding
from ..exit import Exit, recorded
from ..launch_request import LaunchChoice, LaunchKind, LaunchRequest
from . import finding, termination
from .cleanup import ExitCleanup
from .launch_kinds import LaunchKinds
from .server import ClosingForkServers, ForkServerClient
from .server_process import ForkServerProcess
from .termination import Termination

#: Seconds until the next send to a fork server that has not yet accepted everything.
_RESEND = 0.03

#: Everything, because an attempt is a process of this machine and the child of a fork server.
CAPABILITIES = Capabilities(
    kinds=frozenset((LaunchKind.FORK, LaunchKind.FRESH)),
    ends_whole_tree=True,
    knows_exit_status=True,
    measures_usage=True,
    finds_after_restart=True,
)


class LocalExecutor(Executor):
    """Launches attempts here, and notices their ends.

    Parameters
    ----------
    folder : StateFolder
        The state folder.
    begun : ForkServerProcess, optional
        A fork server that was started already.
    clock : callable
        The monotonic clock, in seconds.
    """

    def __init__(
        self, folder: StateFolder, begun: ForkServerProcess | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._kinds = LaunchKinds(os.environ)
        self._servers = (
            [] if begun is None else [ForkServerClient(begun, clock)]
        )  # the last one launches; the others wait for what they launched
        self._silent: list[
            tuple[ForkServerClient, float]
        ] = []  # abandoned because they do not answer; each with seconds since the epoch
        self._left: list[ForkServerClient] = []  # that exit by themselves, once what they launched has ended
        self._closing = ClosingForkServers(clock)
        self._handles: dict[int, str] = {}  # attempt folders, by handle of a process that is not a child of a server
        self._elsewhere: dict[
            str, bool
        ] = {}  # by folder of attempts of which only the lock is visible: whether their end was reported
        self._endings: dict[str, Termination] = {}  # of attempts that are being ended, by folder
        self._begun: set[str] = set()  # folders of attempts that have begun and whose server has died or is silent
        self._events: list[Event] = []  # those that did not arrive on a descriptor

    @property
    def capabilities(self) -> Capabilities:
        """What this executor can do."""
        return CAPABILITIES

    def choose(self, startup: str, variables: Iterable[str]) -> LaunchChoice:
        """Choose how an attempt is launched."""
        return self._kinds.choose(startup, variables)

    # -- fork servers ---------------------------------------------------------------------------------------------

    def warm_up(self) -> None:
        """Start a fork server before there is anything to launch."""
        self.ensure_fork_server()

    def ensure_fork_server(self) -> str | None:
        """Ensure that a fork server knows the installed packages; return the reason if there is none."""
        if self._servers and self._servers[-1].packages == installed.fingerprint():
            return None
        try:
            self._servers.append(ForkServerClient(ForkServerProcess(self._folder), self._clock))
        except OSError as error:
            # An existing one can still launch: an environment that was deleted must not stop the jobs of others.
            return None if self._servers else f"the fork server could not be started: {launch.reason(error)}"
        return None

    @property
    def can_launch_nothing(self) -> bool:
        """Return whether the interpreter is gone, and there is no earlier fork server."""
        return not self._servers and not os.path.exists(sys.executable)

    def filenos(self) -> list[int]:
        """Return the descriptors that become readable when there are events."""
        return [*(server.channel.fileno() for server in self._servers), *self._handles]

    def seconds_until_due(self) -> float | None:
        """Return the seconds until a fork server needs to be checked; None if there is none."""
        if any(server.channel.pending for server in self._servers):
            return _RESEND
        return min((found for server in self._servers if (found := server.seconds_until_due()) is not None), default=None)

    @property
    def problem(self) -> str | None:
        """Describe the fork server that does not answer; None if all do."""
        if not self._silent:
            return None
        server, since = self._silent[-1]
        clock = time.strftime("%H:%M:%S", time.localtime(since))
        return f"the fork server (PID {server.process.pid}) has not answered since {clock}; another one is launching jobs instead"

    # -- attempts -------------------------------------------------------------------------------------------------

    def launch(self, requests: Sequence[LaunchRequest]) -> None:
        """Start attempts; those that can't be started are refused."""
        reason = self.ensure_fork_server() if requests else None
        if reason is not None:
            self._events += [Refusal(each.folder, reason) for each in requests]
        else:
            for each in requests:
                self._servers[-1].launch(each)
        for server in self._servers:
            server.channel.flush()

    def find(self, folder: str, *, declared_gone: bool = False) -> Finding:
        """Determine the status of an attempt that another process launched, and watch it if it runs."""
        status = finding.find(folder, self._watch)
        if status is AttemptStatus.ELSEWHERE and declared_gone:
            status = AttemptStatus.GONE
        if status is AttemptStatus.ELSEWHERE:
            self._elsewhere[folder] = False
        else:
            self._elsewhere.pop(folder, None)
        known = status in (AttemptStatus.WATCHED, AttemptStatus.GONE, AttemptStatus.ELSEWHERE)
        return Finding(status, known or folder in self._begun)

    def _watch(self, folder: str, process: ProcessIdentity) -> bool:
        """Watch the process of an attempt that another supervisor launched; False if it has ended."""
        handle = identity.open_handle(process)
        if handle is None:
            return False
        self._handles[handle] = folder
        return True

    def cancel(self, folder: str, reason: str, grace: float) -> Termination | None:
        """Begin to end an attempt with all processes that it has started."""
        is_elsewhere = folder in self._elsewhere
        ending = termination.begin(folder, reason, grace, lambda: self._kill(folder), is_elsewhere=is_elsewhere)
        if ending is not None:
            self._endings[folder] = ending
        return ending

    def _kill(self, folder: str) -> bool:
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

    def clean_up(self, end: Exit, grace: float | None) -> ExitCleanup:
        """Begin to end what an attempt left running, and to wait for its exit report."""
        return ExitCleanup(end, grace, lambda: self._endings.get(end.folder))

    def poll(self, ready: Iterable[int]) -> list[Event]:
        """Return the attempts that have ended, could not be launched, were launched, or are no longer watched."""
        descriptors = set(ready)
        exits: list[Exit] = []
        for server in list(self._servers):
            server.channel.flush()
            if server.channel.fileno() in descriptors:
                exits += self._reports(server)
        for handle in descriptors & self._handles.keys():
            exits.append(Exit(self._handles.pop(handle)))
            os.close(handle)
        for server in [each for each in self._servers if each.ping()]:
            self._give_up(server)
        self._closing.step()
        others, self._events = self._events, []
        return [*exits, *others, *self._gone_elsewhere()]

    def _gone_elsewhere(self) -> list[Exit]:
        """Return, once, the attempts of which only the lock was visible, and whose lock is free."""
        gone = [folder for folder, said in self._elsewhere.items() if not said and finding.is_gone_elsewhere(folder)]
        self._elsewhere.update(dict.fromkeys(gone, True))
        return [recorded(folder) for folder in gone]

    def _reports(self, server: ForkServerClient) -> list[Exit]:
        messages, there = server.receive()
        reports = [message for message in messages if "folder" in message]
        refused = [Refusal(message["refused"], message["reason"]) for message in messages if "refused" in message]
        self._events += refused
        self._events += [Launched(message["launched"]) for message in messages if "launched" in message]
        server.folders.difference_update([report["folder"] for report in reports], [each.folder for each in refused])
        if not there:
            self._lose(server)
        return [_exit(report["folder"], report) for report in reports]

    def _lose(self, server: ForkServerClient) -> None:
        """Handle the death of a fork server: check the attempts that it launched, and refuse the others."""
        if not server.has_launched and server.folders:
            reason = "the fork server exited before it launched anything; see supervisor.err"
            self._events += [Refusal(folder, reason) for folder in server.folders]
            server.folders.clear()
        self._abandon(server)
        self._closing.add(server)

    def _give_up(self, server: ForkServerClient) -> None:
        """Abandon a fork server that does not answer: it must launch nothing more, even if it resumes."""
        self._silent.append((server, time.time() - server.silent_for))
        self._abandon(server)
        server.channel.send({"abandoned": True})
        server.channel.close()
        self.ensure_fork_server()

    def _abandon(self, server: ForkServerClient) -> None:
        """Expect nothing more from a fork server: its attempts have to be checked."""
        self._servers.remove(server)
        self._events += [Unwatched(folder) for folder in server.folders]
        self._begun |= server.begun & server.folders

    def acknowledge(self, folders: Sequence[str]) -> None:
        """Forget attempts whose ends are in the store."""
        for server in list(self._servers):
            if folders:
                server.channel.add({"acknowledge": list(folders)})
            if server is not self._servers[-1] and not server.folders:
                self._dismiss(server)
        self._begun.difference_update(folders)
        for folder in folders:
            self._elsewhere.pop(folder, None)
            self._endings.pop(folder, None)
        for server, since in list(self._silent):
            server.folders.difference_update(folders)
            if not server.folders or server.process.poll() is not None:
                self._silent.remove((server, since))
                server.process.kill()  # nothing that it launched is left
                self._closing.add(server)

    def _dismiss(self, server: ForkServerClient) -> None:
        server.channel.send({"goodbye": True})
        self._servers.remove(server)
        self._closing.add(server)

    def leave(self) -> None:
        """Leave running attempts alone: each fork server stays until its children have exited, and starts no supervisor."""
        for server in self._servers:
            server.channel.send({"abandoned": True})
            server.channel.close()
        self._left += self._servers
        self._servers.clear()

    def close(self) -> None:
        """Stop the fork servers; only when nothing is running."""
        for server in list(self._servers):
            self._dismiss(server)
        for server, _ in self._silent:
            server.process.kill()
        for server in (*self._left, *(server for server, _ in self._silent)):
            self._closing.add(server)
        self._closing.close()
        for handle in self._handles:
            os.close(handle)
        self._handles.clear()


def _exit(folder: str, report: dict[str, Any]) -> Exit:
    """Return the end that a fork server has reported."""
    orphans = tuple(ProcessIdentity(**each) for each in report.get("left", ()))
    begun = report.get("begun") is True
    code, signal = exit_status.decode(report.get("status"))
    return Exit(folder, code, signal, report.get("peak"), report.get("cpu"), orphans, begun)
