"""Find and end all of a worker's processes; the only module that sends signals.

The worker adopts the orphans of its descendants (see `adopt_orphans`), so while it lives its tree is complete, including
processes in their own sessions. Processes left by a dead worker carry its mark (see `process_mark`). A supervisor that a job
has started is not part of the tree, nor is anything that it started. Linux: ``/proc`` and ``prctl``. Elsewhere: a job object,
or a walk by session.
"""

import contextlib
import os
import signal
from collections.abc import Collection, Iterable
from typing import Any

from . import identity, process_mark
from .identity import ProcessState

_PR_SET_CHILD_SUBREAPER = 36

#: Parts of the command lines of our own processes that a job may have started, and that are not part of its tree.
_SUPERVISOR, _FORKSERVER = "/ipybgjobs/start.py supervisor ", "/ipybgjobs/start.py forkserver "


#: The C library, once it has been used; a fork inherits it.
_libc: list[Any] = []


def adopt_orphans() -> None:
    """Make this process the parent of its descendants' orphans; the setting survives exec, but is not inherited by a fork."""
    if not _libc:
        import ctypes

        _libc.append(ctypes.CDLL(None))
    _libc[0].prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def has_children() -> bool:
    """Return whether this process has any child of its own tree, after reaping the dead."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        mark, found = process_mark.of_process(os.getpid()), children()
        return not found or any(not _is_apart(state, [mark]) for state in found)
    return False


def children() -> list[ProcessState]:
    """Return the children of this process, including zombies."""
    return states(pids_of_children())


def pids_of_children() -> list[int]:
    """Return the PIDs of the children of this process, including zombies."""
    pids: list[int] = []
    for task in os.listdir("/proc/self/task"):
        with (
            contextlib.suppress(OSError),
            open(f"/proc/self/task/{task}/children", "rb", buffering=0) as file,
        ):  # the thread may have ended
            pids += map(int, file.read().split())
    return pids


def states(pids: Iterable[int]) -> list[ProcessState]:
    """Return the states of those of the processes that exist."""
    return [state for state in map(identity.state_of, pids) if state is not None]


def living() -> list[ProcessState]:
    """Return all living processes that are visible here."""
    return [state for state in map(identity.state_of, _all_pids()) if state is not None and state.state not in "ZX"]


def unreaped() -> set[identity.ProcessIdentity]:
    """Return ended processes that PID 1 has adopted but not reaped."""
    states = map(identity.state_of, _all_pids())
    return {identity.of(state) for state in states if state is not None and state.state == "Z" and state.parent == 1}


def descendants(roots: Iterable[ProcessState]) -> list[ProcessState]:
    """Return the living processes below the roots, and those in a session led by one of the roots; parents first."""
    everything = living()
    known = {root.pid for root in roots}
    marks = list(map(process_mark.of_process, known))
    sessions = set(known)
    found: list[ProcessState] = []
    while True:
        near = [s for s in everything if s.pid not in known and (s.parent in known or s.session in sessions)]
        new = [state for state in near if not _is_apart(state, marks)]
        if not new:
            return found
        found += new
        known.update(state.pid for state in new)


def _is_apart(state: ProcessState, marks: Collection[int | None]) -> bool:
    """Return whether a descendant is not part of a worker's tree: a supervisor, its fork server, another attempt.

    A fork of a worker has the command line of the fork server, but it carries a mark.
    """
    line, found = identity.command_line(state.pid), process_mark.of_process(state.pid)
    if _SUPERVISOR in line:
        return True
    if found is not None:
        return any(marks) and found not in marks
    return state.session == state.pid and _FORKSERVER in line


def _all_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def leader_that_writes(path: str) -> int | None:
    """Find the PID of another session leader whose standard output or error is a given file; None if there is none."""
    return next((state.pid for state in writers(path) if state.session == state.pid != os.getpid()), None)


def leader_that_holds(beginning: str) -> int | None:
    """Find the PID of a session leader that holds a removed file, by the beginning of its path; None if none does."""
    for pid in _all_pids():
        with contextlib.suppress(OSError):
            if os.getsid(pid) == pid and any(
                _is_gone(f"/proc/{pid}/fd/{each}", beginning) for each in os.listdir(f"/proc/{pid}/fd")
            ):
                return pid
    return None


def _is_gone(link: str, beginning: str) -> bool:
    """Return whether a descriptor's target begins with a path and has been removed."""
    try:
        path = os.readlink(link)
    except OSError:  # closed meanwhile
        return False
    return path.startswith(beginning) and path.endswith(" (deleted)")


def writers(path: str) -> list[ProcessState]:
    """Find the living processes whose standard output or error is a given file, in any session and with any parent."""
    found = []
    for pid in _all_pids():
        with contextlib.suppress(OSError):
            if path in (os.readlink(f"/proc/{pid}/fd/1"), os.readlink(f"/proc/{pid}/fd/2")):
                found.append(identity.state_of(pid))
    return [state for state in found if state is not None and state.state not in "ZX"]


def same(state: ProcessState) -> bool:
    """Return whether this exact process is still running."""
    now = identity.state_of(state.pid)
    return now is not None and now.start_time == state.start_time and now.state not in "ZX"


def interrupt(worker: ProcessState) -> None:
    """Send an interrupt to the worker's whole process group, as Ctrl-C would."""
    if same(worker):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(worker.pid, signal.SIGINT)


def send(states: Iterable[ProcessState], number: signal.Signals) -> None:
    """Send a signal to those of the processes that are still the same."""
    for state in states:
        if same(state):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(state.pid, number)


def terminate(states: Iterable[ProcessState]) -> None:
    """Ask the processes to terminate."""
    send(states, signal.SIGTERM)


def left_behind(
    worker: identity.ProcessIdentity | None, orphans: Iterable[identity.ProcessIdentity], mark: int
) -> list[ProcessState]:
    """Return the processes left by a dead worker: those with its mark, those in its session, its orphans, and all descendants.

    A session's id is not reused while any process is in it; if a process with that id is alive, it is a different one.

    Parameters
    ----------
    worker : ProcessIdentity or None
        The worker; None if it is unknown.
    orphans : iterable of ProcessIdentity
        Processes that its end made orphans.
    mark : int
        The mark of the attempt.
    """
    everything = living()
    found = [state for state in everything if process_mark.of_process(state.pid) == mark]
    found += [] if worker is None else _in_session(worker, everything)
    found += [s for each in orphans if identity.is_alive(each) and (s := identity.state_of(each.pid)) is not None]
    roots = {state.pid: state for state in found if not _is_apart(state, [mark])}
    if not roots:
        return []
    return [*roots.values(), *descendants(roots.values())]


def _in_session(worker: identity.ProcessIdentity, everything: Iterable[ProcessState]) -> list[ProcessState]:
    """Return the processes in the session of a worker that is gone."""
    leader = identity.state_of(worker.pid)  # the worker itself, if it has not been reaped yet
    if worker.boot != identity.boot() or (leader is not None and leader.start_time != worker.start_time):
        return []
    return [state for state in everything if state.session == worker.pid and state.start_time >= worker.start_time]


def kill_all(states: Iterable[ProcessState]) -> None:
    """Kill processes and whatever they start meanwhile; all are stopped first."""
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
    """Kill a whole tree: stop it, search again until nothing new appears, then kill it, the worker last."""
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
