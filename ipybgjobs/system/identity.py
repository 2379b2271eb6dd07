"""Who a process is: PID and start time, within one boot and one PID namespace; a PID alone is soon another's.

Linux: ``/proc``. Another platform provides `start_time`, `pid_namespace` and `boot`.
"""

import contextlib
import errno
import os
import signal
import time
from typing import Any, NamedTuple

from ..errors import StoreError


class ProcessIdentity(NamedTuple):
    """A process, as no other will ever be."""

    pid: int
    start_time: int  #: clock ticks since boot
    boot: str

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return self._asdict()


class ProcessState(NamedTuple):
    """What ``/proc/PID/stat`` says of a process."""

    pid: int
    state: str  #: one letter; Z is a zombie
    parent: int
    session: int
    start_time: int


def check() -> None:
    """See to it that processes can be told apart here.

    Raises
    ------
    StoreError
        If ``/proc`` is not there, or shows the processes of another PID namespace under other numbers.
    """
    try:
        own = os.readlink("/proc/self") == str(os.getpid())
        reason = "/proc shows the processes of another PID namespace than this process's"
    except OSError:
        own, reason = False, "/proc is not mounted"
    if not own:
        raise StoreError(f"Jobs can't be run or looked at here, since {reason}: mount it (mount -t proc proc /proc).")


#: What stays the same for a process and its forks.
_constant: dict[str, str] = {}


def host() -> str:
    """Return the host's name."""
    return _constant.get("host") or _constant.setdefault("host", os.uname().nodename)


def pid_namespace() -> str:
    """Return what tells this PID namespace from others."""
    return _constant.get("namespace") or _constant.setdefault("namespace", os.readlink("/proc/self/ns/pid"))


def boot() -> str:
    """Return what tells this boot from others."""
    return _constant.get("boot") or _constant.setdefault("boot", _read_boot())


def learn_constants() -> None:
    """Look up what stays the same, so that forks need not."""
    host()
    pid_namespace()
    boot()


def _read_boot() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def look(pid: int) -> ProcessState | None:
    """Return what is known of a process; None where there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return ProcessState(pid, fields[0].decode(), int(fields[1]), int(fields[3]), int(fields[19]))


def current(pid: int | None = None) -> ProcessIdentity:
    """Return the identity of this process, or of a living one.

    Raises
    ------
    ProcessLookupError
        If there is no such process.
    """
    number = os.getpid() if pid is None else pid
    state = look(number)
    if state is None:
        raise ProcessLookupError(number)
    return ProcessIdentity(number, state.start_time, boot())


def started_ns() -> int:
    """Return when this process started: nanoseconds since the epoch, to a hundredth of a second."""
    since_boot = current().start_time * (1_000_000_000 // os.sysconf("SC_CLK_TCK"))
    return time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME) + since_boot


def since_boot() -> float:
    """Return the seconds since the machine booted, its sleep counted."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def seconds(state: ProcessState) -> float:
    """Return when a process started, in seconds since the machine booted, its sleep counted."""
    return state.start_time / os.sysconf("SC_CLK_TCK")


def booted_at() -> float:
    """Return when the machine booted, in seconds since the epoch as its clock says now: another number once the clock was set."""
    return time.time() - since_boot()


def is_alive(identity: ProcessIdentity) -> bool:
    """Whether that very process runs; a zombie does not."""
    state = look(identity.pid)
    return state is not None and state.state not in "ZX" and state.start_time == identity.start_time and identity.boot == boot()


def of(state: ProcessState) -> ProcessIdentity:
    """Return the identity of a process that was looked at in this boot."""
    return ProcessIdentity(state.pid, state.start_time, boot())


def is_single_threaded() -> bool:
    """Whether this process has one thread: then a fork of it is sound."""
    return len(os.listdir("/proc/self/task")) == 1


def is_stopped(pid: int) -> bool:
    """Whether a process is stopped: by a signal, Ctrl-Z or a debugger."""
    state = look(pid)
    return state is not None and state.state in "Tt"


def command_line(pid: int) -> str:
    """Return the command line of a process; empty where there is none."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def open_handle(identity: ProcessIdentity) -> int | None:
    """Return a descriptor that becomes readable when the process ends; None if it has gone already.

    The handle is opened first and the identity looked at after: so it can't be a stranger's.

    Raises
    ------
    OSError
        If there is no descriptor to be had.
    """
    try:
        handle = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return None
    except OSError as error:
        if error.errno == errno.EINVAL:  # a thread's number, or none at all
            return None
        raise
    if is_alive(identity):
        return handle
    os.close(handle)
    return None


def kill_by_handle(handle: int) -> None:
    """End a process that a handle stands for, if it has not ended yet."""
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(handle, signal.SIGKILL)


def user() -> int:
    """Return the number of the user whose rights this process has."""
    return os.geteuid()


def real_user() -> int:
    """Return the number of the user who has started this process, whatever rights it has."""
    return os.getuid()


def umask() -> int:
    """Return the file mode creation mask of this process, without changing it for its other threads."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        found = next(line for line in file if line.startswith("Umask:"))
    return int(found.split()[1], 8)
