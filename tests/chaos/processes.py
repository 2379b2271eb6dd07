"""Who is alive in a run, and in which role: found from outside, by command line, environment and open files."""

import contextlib
import os
import signal
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Role(StrEnum):
    """What a process is."""

    SUPERVISOR = "supervisor"
    SERVER = "fork server"
    WORKER = "worker"
    CHILD = "child"
    CLIENT = "client"
    HELPER = "helper"  #: reads a configuration, looks at a signature or an origin; lives for a moment


@dataclass(frozen=True)
class Process:
    """A process, by PID and the moment at which it began."""

    pid: int
    began: int  #: clock ticks since boot
    role: Role
    line: str

    def send(self, number: int) -> bool:
        """Send a signal; False if the process has gone. No other that has its PID by now is ever hit."""
        with contextlib.suppress(OSError):
            handle = os.pidfd_open(self.pid)
            try:
                if _stat(self.pid)[1] == self.began:
                    signal.pidfd_send_signal(handle, number)
                    return True
            finally:
                os.close(handle)
        return False

    @property
    def alive(self) -> bool:
        """Whether it is there, and no zombie."""
        state, began = _stat(self.pid)
        return began == self.began and state not in "ZX"


def processes(root: Path) -> list[Process]:
    """Return the living processes of a run, the harness itself apart."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            process = _look(int(name), str(root))
            if process is not None:
                found.append(process)
    return found


def _look(pid: int, root: str) -> Process | None:
    line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    if pid == os.getpid() or (root not in line and root.encode() not in Path(f"/proc/{pid}/environ").read_bytes()):
        return None
    state, began = _stat(pid)
    return None if state in "ZX" else Process(pid, began, _role(pid, line), line)


def _role(pid: int, line: str) -> Role:
    if " -m chaos.client " in line:
        return Role.CLIENT
    if "/start.py supervisor " in line:
        return Role.SUPERVISOR
    if _prints_to_a_job(pid):
        leads = os.getsid(pid) == pid and "/start.py " in line
        return Role.WORKER if leads else Role.CHILD
    return Role.SERVER if "/start.py forkserver " in line else Role.HELPER


def _prints_to_a_job(pid: int) -> bool:
    """A worker prints to its attempt folder, and so does what it starts."""
    output = os.readlink(f"/proc/{pid}/fd/1")
    return "/state/jobs/" in output


def _stat(pid: int) -> tuple[str, int]:
    """State and start of a process; one that has gone is dead and began never."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return "X", -1
    return fields[0], int(fields[19])
