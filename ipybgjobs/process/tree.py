"""Finding and ending all of a worker's processes; the only place that sends signals.

The worker adopts what its descendants orphan (see `adopt_orphans`), so while it lives its tree is whole, processes in
sessions of their own included. What a dead worker has left bears its mark (see `mark`). A supervisor that a job has started is
nobody's, and neither is what that has started. Linux: ``/proc`` and ``prctl``. Elsewhere: a job object, or a walk by session.
"""

import contextlib
import os
import signal
from collections.abc import Collection, Iterable
from typing import Any

from . import identity, mark
from .identity import ProcessState

_PR_SET_CHILD_SUBREAPER = 36

#: What stands in the command lines of processes of ours that a job may have started, and that are nobody's.
_SUPERVISOR, _FORKSERVER = "/ipybgjobs/start.py supervisor ", "/ipybgjobs/start.py forkserver "


#: The C library, once it has been needed; a fork inherits it.
_libc: list[Any] = []


def adopt_orphans() -> None:
    """Make this process the parent of whatever its descendants leave behind; kept across exec, not by a fork."""
    if not _libc:
        import ctypes

        _libc.append(ctypes.CDLL(None))
    _libc[0].prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def has_children() -> bool:
    """Return whether this process has any child that is its own business, after reaping the dead."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        worn, found = mark.of_process(os.getpid()), children()
        return not found or any(not _is_apart(state, [worn]) for state in found)
    return False


def children() -> list[ProcessState]:
    """Children of this process, zombies included."""
    pids: list[str] = []
    for task in os.listdir("/proc/self/task"):
        with contextlib.suppress(OSError), open(f"/proc/self/task/{task}/children", encoding="ascii") as file:  # a thread may end
            pids += file.read().split()
    return [state for state in map(identity.look, map(int, pids)) if state is not None]


def living() -> list[ProcessState]:
    """All living processes that are seen from here."""
    return [state for state in map(identity.look, _all_pids()) if state is not None and state.state not in "ZX"]


def unreaped() -> set[identity.ProcessIdentity]:
    """Processes that have ended and that PID 1, which has adopted them, has not waited for."""
    states = map(identity.look, _all_pids())
    return {identity.of(state) for state in states if state is not None and state.state == "Z" and state.parent == 1}


def descendants(roots: Iterable[ProcessState]) -> list[ProcessState]:
    """Living processes below the roots, and those in a session that one of the roots leads; parents first."""
    everything = living()
    known = {root.pid for root in roots}
    worn = list(map(mark.of_process, known))
    sessions = set(known)
    found: list[ProcessState] = []
    while True:
        near = [s for s in everything if s.pid not in known and (s.parent in known or s.session in sessions)]
        new = [state for state in near if not _is_apart(state, worn)]
        if not new:
            return found
        found += new
        known.update(state.pid for state in new)


def _is_apart(state: ProcessState, worn: Collection[int | None]) -> bool:
    """Return whether a process is none of a worker's, though it descends from it: a supervisor, its fork server, another attempt.

    A fork of a worker has the command line of the fork server; but it bears a mark.
    """
    line, found = identity.command_line(state.pid), mark.of_process(state.pid)
    if _SUPERVISOR in line:
        return True
    if found is not None:
        return any(worn) and found not in worn
    return state.session == state.pid and _FORKSERVER in line


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
    """Return whether what a descriptor leads to begins so, and has no name any more."""
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
    """Return whether that very process still runs."""
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


def left_behind(
    worker: identity.ProcessIdentity | None, orphans: Iterable[identity.ProcessIdentity], worn: int
) -> list[ProcessState]:
    """Return what a dead worker has left: all that bear its mark, the processes of its session, its orphans, and all below them.

    A session's number is given to no other process while anybody is in it; if a process of that number lives, it is another's.

    Parameters
    ----------
    worker : ProcessIdentity or None
        The worker; None where nobody knows it any more.
    orphans : iterable of ProcessIdentity
        Processes that became orphans with its end.
    worn : int
        The mark of the attempt.
    """
    everything = living()
    found = [state for state in everything if mark.of_process(state.pid) == worn]
    found += [] if worker is None else _in_session(worker, everything)
    found += [s for each in orphans if identity.is_alive(each) and (s := identity.look(each.pid)) is not None]
    roots = {state.pid: state for state in found if not _is_apart(state, [worn])}
    if not roots:
        return []
    return [*roots.values(), *descendants(roots.values())]


def _in_session(worker: identity.ProcessIdentity, everything: Iterable[ProcessState]) -> list[ProcessState]:
    """Those that are in the session of a worker that has gone."""
    leader = identity.look(worker.pid)  # the worker itself, where nobody has reaped it yet
    if worker.boot != identity.boot() or (leader is not None and leader.start_time != worker.start_time):
        return []
    return [state for state in everything if state.session == worker.pid and state.start_time >= worker.start_time]


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
