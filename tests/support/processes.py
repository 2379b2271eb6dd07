"""Supervisors, fork servers and workers of a test's place: found, stopped, killed and seen gone."""

import contextlib
import json
import os
import signal
from pathlib import Path

from ipybgjobs.state.folder import StateFolder
from ipybgjobs.system import identity, lock, wakeup
from ipybgjobs.system import place as places

from .place import Place, until
from .rows import attempt_folder


def of_role(place: Place, role: str) -> list[int]:
    """PIDs of the place's processes of a role; a fork of one, which bears its command line at first, is none.

    Nor is the shell that starts one, and which may end while its child is looked at.
    """
    return _of_role(place.processes(), role)


def _of_role(processes: dict[int, str], role: str) -> list[int]:
    found = [pid for pid in _bearing(processes, role) if not _writes_log(pid)]
    first = [pid for pid in found if _parent(pid) not in found]
    return [pid for pid in first if alive(pid)]


def the_supervisor(place: Place, *dead: int) -> int:
    """The PID of the process that holds the supervisor's lock, once one does; not one of those that are dead.

    Others look like it for a moment: the shell that starts it, and a child that it is about to start.
    """
    path = StateFolder(str(place.state)).supervisor_lock(places.here())
    return until(lambda: (pid := lock.holder_pid(path)) not in dead and pid, f"a supervisor, not one of {dead}")


def _parent(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def forks(place: Place) -> list[int]:
    """PIDs of forks of fork servers: attempts' processes."""
    return [pid for pid in _bearing(place.processes(), "forkserver") if _writes_log(pid)]


def _bearing(processes: dict[int, str], role: str) -> list[int]:
    return [pid for pid, line in processes.items() if f" {role} " in f"{line} "]


def _writes_log(pid: int) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/fd/1").endswith("output.log")
    except OSError:
        return True


def worker(place: Place, job_id: int = 1) -> int:
    """The PID of an attempt's process."""
    started = attempt_folder(place, job_id) / "started.json"
    until(started.exists, "the start marker")
    return int(json.loads(started.read_text())["process"]["pid"])


def alive(pid: int) -> bool:
    state = identity.state_of(pid)
    return state is not None and state.state not in "ZX"


def stopped(pid: int) -> bool:
    state = identity.state_of(pid)
    return state is not None and state.state == "T"


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal; to one that has gone already is fine."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def kill(pid: int) -> None:
    """End a process, and see it gone."""
    send(pid, signal.SIGKILL)
    until(lambda: not alive(pid), f"the end of {pid}")


def kill_helpers(place: Place) -> None:
    """End fork servers and supervisors; none of them starts another, as all are stopped first."""
    while pids := [pid for role in ("forkserver", "supervisor") for pid in of_role(place, role)]:
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in pids:
                send(pid, number)
        until(lambda pids=pids: not any(map(alive, pids)), "the end of supervisors and fork servers")


def wake(place: Place) -> None:
    """Have the supervisor look now."""
    wakeup.send(str(place.state))


def has_socket(place: Place) -> bool:
    return any(place.state.glob("wakeup*.sock"))


def forge_start(place: Place, pid: int, **changes: object) -> Path:
    """Let the start marker name another process, as if the worker's PID had been given away."""
    path = attempt_folder(place) / "started.json"
    started = json.loads(path.read_text())
    started["process"]["pid"] = pid
    started["process"] |= changes.pop("process", {})
    forged = path.with_suffix(".forged")
    forged.write_text(json.dumps(started | changes))
    forged.rename(path)
    return path


def end_attempts(place: Place) -> None:
    """A supervisor and its fork server may stay for the next test; an attempt, and what it has started, may not."""

    def are_helpers(found: dict[int, str]) -> bool:
        return found.keys() <= {*_of_role(found, "supervisor"), *_of_role(found, "forkserver")}

    until(lambda: are_helpers(place.processes()), "the end of what the test has started", 15.0)
