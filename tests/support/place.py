"""One test's place: a state folder, a configuration file and a folder of modules; and waiting with a deadline."""

import contextlib
import os
import select
import signal
import textwrap
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from ipybgjobs.client.jobs.job import Job

from .jobs import module_text

#: Longest that anything in a test may take, in seconds; machines are slow and shared.
DEADLINE = 60.0

#: The folder of all tests, and the one of the whole project.
TESTS = Path(__file__).parents[1]
REPOSITORY = TESTS.parent

#: What may run of the module `work`.
ALLOWED = {
    "work.Trainer": ["fit", "fail", "sleep", "name_of_class", "add", "later"],
    "work": ["echo", "once_failing"],
}


class Place:
    """One test's state folder, configuration file and folder of modules."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state = root / "state"
        self.config_file = root / "test_config.py"
        self.code = root / "code"
        self.code.mkdir()
        self.is_shared = False  #: whether its supervisor stays for the next test
        self._seen: dict[int, str] = {}  # processes that were found, by PID

    def module(self, name: str, text: str | None = None) -> Path:
        """Write a module that jobs may use: the one of that name in `tests/jobs`, or another text."""
        path = self.code / f"{name}.py"
        path.write_text(module_text(name) if text is None else textwrap.dedent(text))
        return path

    def allow(self, allowed: dict, *, retries: bool = True, **settings: object) -> None:
        """Write the configuration file: an allowlist, and traits as ``Section__trait=value``; `retries`: whether it sets any."""
        lines = [f"c.BackgroundJobs.allowed_jobs = {allowed!r}", "c.BackgroundJobs.idle_seconds = 0.2"]
        lines += ["c.RetryPolicy.delay_seconds = 0.2", "c.RetryPolicy.max_attempts = 1"] if retries else []
        lines += [f"c.{name.replace('__', '.')} = {value!r}" for name, value in settings.items()]
        lines += ["c.BackgroundJobs.idle_seconds = 1.0"] if self.is_shared else []
        text = "\n".join(lines) + "\n"
        if not self.config_file.exists() or self.config_file.read_text() != text:  # a written file is evaluated again
            self.config_file.write_text(text)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make another process use this place."""
        return dict(os.environ)

    def processes(self) -> dict[int, str]:
        """Living processes of this place, apart from the test's own: by command line or environment.

        One that is ending has lost both before it gives up its locks; it counts until then.
        """
        found = {pid: line for pid, line in _all_processes(str(self.root)).items() if pid != os.getpid()}
        self._seen = found | {pid: line for pid, line in self._seen.items() if pid not in found and _is_ending(pid)}
        return dict(self._seen)

    def supervisor_pid(self) -> int | None:
        """The PID of the living supervisor; a fork of it has a higher one."""
        return min((pid for pid, line in self.processes().items() if " supervisor " in line), default=None)

    def log(self, name: str = "background_jobs.log") -> str:
        """One of the two log files."""
        path = self.state / "logs" / name
        return path.read_text() if path.exists() else ""


def _all_processes(mark: str) -> dict[int, str]:
    """Living processes that bear a mark in their command line or environment; read by the shortest way, as tests ask often."""
    found, sought = {}, mark.encode()
    for name in filter(str.isdigit, os.listdir("/proc")):
        line = _content(f"/proc/{name}/cmdline")
        if (sought in line or sought in _content(f"/proc/{name}/environ")) and _lives(name):
            found[int(name)] = line.replace(b"\0", b" ").decode(errors="replace")
    return found


def _is_ending(pid: int) -> bool:
    return _lives(str(pid)) and not _content(f"/proc/{pid}/cmdline")


def _content(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.readall()
    except OSError:
        return b""


def _lives(name: str) -> bool:
    state = _content(f"/proc/{name}/stat").rpartition(b")")[2].split()[:1]
    return state not in ([], [b"Z"])


def until(condition: Callable[[], object], what: str = "the condition", seconds: float = DEADLINE) -> object:
    """Poll until a condition is true, and return what it returned; the test fails at the deadline."""
    limit = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > limit:
            pytest.fail(f"{what} was not met in {seconds} s")
        time.sleep(0.01)


def end(place: Place) -> None:
    """The supervisor ends when idle; whatever else lives is a leak."""
    limit = time.monotonic() + 15.0
    # Twice, since one that ends while it starts another may fall between two reads of /proc.
    while (left := place.processes() or place.processes()) and time.monotonic() < limit:
        _wait_for_any(left, limit - time.monotonic())
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left, f"left behind: {left}"


def _wait_for_any(pids: Iterable[int], seconds: float) -> None:
    """Wait until one of some processes has ended, or a second is over."""
    with contextlib.ExitStack() as opened:
        ends = select.poll()
        for pid in pids:
            try:
                descriptor = os.pidfd_open(pid)
            except ProcessLookupError:
                return
            opened.callback(os.close, descriptor)
            ends.register(descriptor, select.POLLIN)
        ends.poll(max(0.0, min(seconds, 1.0)) * 1000)


def running(job: Job) -> Job:
    """Wait until a job runs and has printed something."""
    until(lambda: job.state == "running" and job.log(), f"job {job.id} running")
    return job
