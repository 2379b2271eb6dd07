"""The identity of a process: PID and start time, within one boot and one PID namespace, since PIDs are reused.

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
    """Identifies a process uniquely."""

    pid: int
    start_time: int  #: clock ticks since boot
    boot: str

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return self._asdict()


class ProcessState(NamedTuple):
    """The data of ``/proc/PID/stat`` about a process."""

    pid: int
    state: str  #: one letter; Z is a zombie
    parent: int
    session: int
    start_time: int


def check() -> None:
    """Make sure that processes can be identified here.

    Raises
    ------
    StoreError
        If ``/proc`` is not mounted, or belongs to another PID namespace.
    """
    try:
        own = os.readlink("/proc/self") == str(os.getpid())
        reason = "/proc belongs to another PID namespace than this process"
    except OSError:
        own, reason = False, "/proc is not mounted"
    if not own:
        raise StoreError(f"Jobs can't be run or inspected here, since {reason}: mount it (mount -t proc proc /proc).")


#: Values that are the same for a process and its forks.
_constant: dict[str, str] = {}

#: The process that has learned the constants, for its forks.
_forking: list[ProcessIdentity] = []

#: Number of links of ``/proc/self/task`` with one thread in it, in procfs.
_LINKS_OF_ONE = 3

#: Longest line of ``/proc/PID/stat`` that is read, in bytes: 52 numbers and a name of 15 characters.
_LONGEST_STATE = 4096


def host() -> str:
    """Return the host's name."""
    return _constant.get("host") or _constant.setdefault("host", os.uname().nodename)


def pid_namespace() -> str:
    """Return an identifier of this PID namespace."""
    return _constant.get("namespace") or _constant.setdefault("namespace", os.readlink("/proc/self/ns/pid"))


def boot() -> str:
    """Return an identifier of this boot."""
    return _constant.get("boot") or _constant.setdefault("boot", _read_boot())


def learn_constants() -> None:
    """Look up the constant values and this process's identity, so that forks need not."""
    host()
    pid_namespace()
    boot()
    _forking[:] = [current()]


def _read_boot() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def state_of(pid: int) -> ProcessState | None:
    """Return the state of a process; None if it does not exist."""
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fields = os.read(descriptor, _LONGEST_STATE).rpartition(b")")[2].split()
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return ProcessState(pid, fields[0].decode(), int(fields[1]), int(fields[3]), int(fields[19]))


def current(pid: int | None = None) -> ProcessIdentity:
    """Return the identity of this process, or of a living one.

    Raises
    ------
    ProcessLookupError
        If there is no such process.
    """
    number = os.getpid() if pid is None else pid
    state = state_of(number)
    if state is None:
        raise ProcessLookupError(number)
    return ProcessIdentity(number, state.start_time, boot())


def parent() -> ProcessIdentity:
    """Return the identity of this process's parent.

    Raises
    ------
    ProcessLookupError
        If it has just ended.
    """
    number = os.getppid()
    known = next((each for each in _forking if each.pid == number), None)  # as long as it is the parent, its PID is not reused
    return current(number) if known is None else known


def started_ns() -> int:
    """Return when this process started: nanoseconds since the epoch, to a hundredth of a second."""
    since_boot = current().start_time * (1_000_000_000 // os.sysconf("SC_CLK_TCK"))
    return time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME) + since_boot


def since_boot() -> float:
    """Return the seconds since the machine booted, including sleep."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def seconds(state: ProcessState) -> float:
    """Return when a process started, in seconds since the machine booted, including sleep."""
    return state.start_time / os.sysconf("SC_CLK_TCK")


def booted_at() -> float:
    """Return when the machine booted, in seconds since the epoch by the current clock; it changes when the clock is set."""
    return time.time() - since_boot()


def is_alive(identity: ProcessIdentity) -> bool:
    """Return whether this exact process is running; a zombie is not."""
    state = state_of(identity.pid)
    return state is not None and state.state not in "ZX" and state.start_time == identity.start_time and identity.boot == boot()


def of(state: ProcessState) -> ProcessIdentity:
    """Return the identity of a process whose state was read in this boot."""
    return ProcessIdentity(state.pid, state.start_time, boot())


def is_single_threaded() -> bool:
    """Return whether this process has only one thread, so that forking it is safe."""
    threads = "/proc/self/task"
    return os.stat(threads).st_nlink == _LINKS_OF_ONE or len(os.listdir(threads)) == 1


def is_stopped(pid: int) -> bool:
    """Return whether a process is stopped: by a signal, Ctrl-Z or a debugger."""
    state = state_of(pid)
    return state is not None and state.state in "Tt"


def command_line(pid: int) -> str:
    """Return the command line of a process; empty if it has none."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def open_handle(identity: ProcessIdentity) -> int | None:
    """Return a descriptor that becomes readable when the process ends; None if it is already gone.

    The handle is opened before the identity is checked, so it can't belong to another process.

    Raises
    ------
    OSError
        If no descriptor is available.
    """
    try:
        handle = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return None
    except OSError as error:
        if error.errno == errno.EINVAL:  # a thread's id, or not a valid one
            return None
        raise
    if is_alive(identity):
        return handle
    os.close(handle)
    return None


def kill_by_handle(handle: int) -> None:
    """Kill the process of a handle, if it has not ended yet."""
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(handle, signal.SIGKILL)


def user() -> int:
    """Return the number of the user whose rights this process has."""
    return os.geteuid()


def real_user() -> int:
    """Return the number of the user who started this process, whatever rights it has."""
    return os.getuid()


def umask() -> int:
    """Return the file mode creation mask of this process, without changing it for its other threads."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        found = next(line for line in file if line.startswith("Umask:"))
    return int(found.split()[1], 8)
