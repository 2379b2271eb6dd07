"""Finding and ending all of a worker's processes; the only place that sends signals.

The worker adopts what its descendants orphan (see `adopt_orphans`), so while it lives its tree is whole, processes in
sessions of their own included. Linux: ``/proc`` and ``prctl``. Elsewhere: a job object, or a walk by session.
"""

import contextlib
import os
import signal
from collections.abc import Iterable
from typing import Any

from . import identity
from .identity import ProcessState

_PR_SET_CHILD_SUBREAPER = 36


#: The C library, once it has been needed; a fork inherits it.
_libc: list[Any] = []


def adopt_orphans() -> None:
    """Make this process the parent of whatever its descendants leave behind; kept across exec, not by a fork."""
    if not _libc:
        import ctypes

        _libc.append(ctypes.CDLL(None))
    _libc[0].prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def has_children() -> bool:
    """Whether this process has any child, living or not yet waited for after reaping the dead."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        return True
    return False


def children() -> list[ProcessState]:
    """Children of this process, zombies included."""
    pids: list[str] = []
    for task in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{task}/children", encoding="ascii") as file:
            pids += file.read().split()
    return [state for state in map(identity.look, map(int, pids)) if state is not None]


def descendants(roots: Iterable[ProcessState]) -> list[ProcessState]:
    """Living processes below the roots, and those in a session that one of the roots leads; parents first."""
    everything = [state for state in map(identity.look, _all_pids()) if state is not None and state.state not in "ZX"]
    known = {root.pid for root in roots}
    sessions = set(known)
    found: list[ProcessState] = []
    while True:
        new = [s for s in everything if s.pid not in known and (s.parent in known or s.session in sessions)]
        if not new:
            return found
        found += new
        known.update(state.pid for state in new)


def _all_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def leader_that_writes(path: str) -> int | None:
    """Find the PID of a session's leader, this one apart, whose standard output or error is a file; None where there is none."""
    return next((state.pid for state in writers(path) if state.session == state.pid != os.getpid()), None)


def leader_that_holds(beginning: str) -> int | None:
    """Find the PID of a session's leader that holds a file which is gone, by the beginning of its path; None if none does."""
    for pid in _all_pids():
        with contextlib.suppress(OSError):
            if os.getsid(pid) == pid and any(
                _is_gone(f"/proc/{pid}/fd/{each}", beginning) for each in os.listdir(f"/proc/{pid}/fd")
            ):
                return pid
    return None


def _is_gone(link: str, beginning: str) -> bool:
    """Whether what a descriptor leads to begins so, and has no name any more."""
    try:
        path = os.readlink(link)
    except OSError:  # closed meanwhile
        return False
    return path.startswith(beginning) and path.endswith(" (deleted)")


def writers(path: str) -> list[ProcessState]:
    """Find the living processes whose standard output or error is a file, in whatever session, and whoever has adopted them."""
    found = []
    for pid in _all_pids():
        with contextlib.suppress(OSError):
            if path in (os.readlink(f"/proc/{pid}/fd/1"), os.readlink(f"/proc/{pid}/fd/2")):
                found.append(identity.look(pid))
    return [state for state in found if state is not None and state.state not in "ZX"]


def same(state: ProcessState) -> bool:
    """Whether that very process still runs."""
    now = identity.look(state.pid)
    return now is not None and now.start_time == state.start_time and now.state not in "ZX"


def interrupt(worker: ProcessState) -> None:
    """Send what Ctrl-C would: an interrupt to the worker's whole process group."""
    if same(worker):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(worker.pid, signal.SIGINT)


def send(states: Iterable[ProcessState], number: signal.Signals) -> None:
    """Send a signal to those of the processes that still are who they were."""
    for state in states:
        if same(state):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(state.pid, number)


def terminate(states: Iterable[ProcessState]) -> None:
    """Ask the processes to end."""
    send(states, signal.SIGTERM)


def left_behind(worker: identity.ProcessIdentity, orphans: Iterable[identity.ProcessIdentity]) -> list[ProcessState]:
    """Return what a dead worker has left: the processes of its session, those that became orphans, and all below them.

    A session's number is given to no other process while anybody is in it; if a process of that number lives, it is another's.
    """
    leader = identity.look(worker.pid)  # the worker itself, where nobody has reaped it yet
    gone = leader is None or leader.start_time == worker.start_time
    everything = [identity.look(pid) for pid in _all_pids()] if gone else []
    session = [s for s in everything if s is not None and s.session == worker.pid and s.start_time >= worker.start_time]
    known = [s for each in orphans if identity.is_alive(each) and (s := identity.look(each.pid)) is not None]
    found = [*(s for s in session if s.state not in "ZX" and worker.boot == identity.boot()), *known]
    roots = [state for state in found if not _is_supervisor(state.pid)]
    return [*roots, *descendants(roots)]


def _is_supervisor(pid: int) -> bool:
    """Whether a process supervises: one that a job, or its fork server, has started becomes an orphan too, and is nobody's."""
    return "/ipybgjobs/start.py supervisor " in identity.command_line(pid)


def kill_all(states: Iterable[ProcessState]) -> None:
    """End processes that nothing has to outlive, and what they start meanwhile; all are stopped first."""
    stopped = list(states)
    send(stopped, signal.SIGSTOP)
    while new := descendants([state for state in stopped if same(state)]):
        fresh = [state for state in new if state.pid not in {each.pid for each in stopped}]
        if not fresh:
            break
        send(fresh, signal.SIGSTOP)
        stopped += fresh
    send(stopped, signal.SIGKILL)


def kill(worker: ProcessState, known: Iterable[ProcessState]) -> None:
    """End a whole tree: stop it, look again until nothing new appears, end it, the worker last."""
    roots = [worker, *known]
    stopped: dict[int, ProcessState] = {}
    while True:
        send([worker], signal.SIGSTOP)
        new = [s for s in (*descendants([*roots, *stopped.values()]), *known) if s.pid not in stopped and same(s)]
        if not new:
            break
        send(new, signal.SIGSTOP)
        stopped |= {state.pid: state for state in new}
    send((state for state in stopped.values() if state.pid != worker.pid), signal.SIGKILL)
    send([worker], signal.SIGKILL)
