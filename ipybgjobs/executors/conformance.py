"""Tests that every executor must pass, with real attempts. They run under any runner that collects ``test_`` methods.

In a test module, subclass `ExecutorConformance` and define how the executor is created::

    class TestMine(ExecutorConformance):
        def create(self, folder):
            return MyExecutor(folder)

Each test has its own state folder below ``tmp_path``, the folder that pytest creates for a test. Attempts run a small module
that is written there, so they need access to that folder. Nothing here names an executor.
"""

import json
import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from unittest import SkipTest

from ..state import reports
from ..state.folder import StateFolder
from ..system import private_file
from ..system.roles import command
from .events import Event, Refusal
from .executor import AttemptStatus, Executor
from .exit import Exit
from .launch_request import LaunchKind, LaunchRequest

#: Seconds that anything may take; between two checks; and to wait for something that must not happen.
_DEADLINE, _PAUSE, _QUIET = 60.0, 0.05, 0.5

#: Seconds that an attempt has to end.
_GRACE = 0.2

#: The module that attempts run. Each run appends a line to a file.
_MODULE = '''
import os, subprocess, sys, time

def note(path):
    with open(path, "a") as file:
        file.write("run\\n")

def leave(path, code):
    note(path)
    os._exit(code)

def crash(path):
    note(path)
    os.abort()

def hold(path):
    note(path)
    while not os.path.exists(path + ".release"):
        time.sleep(0.01)

def breed(path):
    """Start a process in its own session that keeps showing that it is alive."""
    beat = "import sys, time\\nwhile True:\\n    open(sys.argv[1], 'a').write('.'); time.sleep(0.02)"
    subprocess.Popen([sys.executable, "-c", beat, path + ".beat"], start_new_session=True)
    while not os.path.exists(path + ".beat"):
        time.sleep(0.01)
    note(path)
    time.sleep(600)
'''


class Bench:
    """A state folder, an executor, and attempts for it.

    Parameters
    ----------
    root : Path
        A folder that does not exist yet.
    create : callable
        Creates an executor for a state folder.
    """

    def __init__(self, root: Path, create: Callable[[StateFolder], Executor]) -> None:
        self._create = create
        self._code = root / "code"
        self._code.mkdir(parents=True)
        (self._code / "conformance_job.py").write_text(_MODULE, encoding="utf-8")
        self.folder = StateFolder(str(root / "state"))
        self.folder.create()
        self._left: list[Executor] = []
        self._attempts = 0
        self.executor = create(self.folder)
        self.events: list[Event] = []  #: everything that the executors have reported

    def close(self) -> None:
        """Close all executors."""
        for executor in (*self._left, self.executor):
            executor.close()

    def restart(self) -> None:
        """Replace the executor, as the next supervisor would."""
        self.executor.leave()
        self._left.append(self.executor)
        self.executor = self._create(self.folder)

    def prepare(self, function: str, kind: LaunchKind | None = None, **params: Any) -> LaunchRequest:
        """Write the folder of an attempt that calls a function of the module, without launching it."""
        self._attempts += 1
        folder = self.folder.attempt(f"jobs/conformance/{self._attempts}")
        os.makedirs(folder, mode=0o700)
        content = json.dumps(self._request(function, self.mark(folder), params)).encode()
        chosen = min(self.executor.capabilities.kinds) if kind is None else kind
        return LaunchRequest(folder, content, command("worker", folder), dict(os.environ), kind=chosen)

    def _request(self, function: str, mark: str, params: dict[str, Any]) -> dict[str, Any]:
        return {
            "job": {"id": self._attempts, "uid": "conformance", "name": None, "attempt": 1},
            "key": "conformance_job",
            "method": function,
            "only_from": None,
            "by_value": False,
            "init": {},
            "params": {"path": mark, **params},
            "pickled": [],
            "positional": [],
            "cwd": str(self._code),
            "path": [str(self._code), *sys.path],
            "umask": 0o077,
            "exit_grace_seconds": 5.0,
        }

    def launch(self, function: str, kind: LaunchKind | None = None, **params: Any) -> str:
        """Launch an attempt; return its folder."""
        request = self.prepare(function, kind, **params)
        self.executor.launch([request])
        return request.folder

    # -- what attempts do -----------------------------------------------------------------------------------------

    @staticmethod
    def mark(folder: str) -> str:
        """The file in which an attempt notes its runs."""
        return f"{folder}/marks"

    def runs(self, folder: str) -> int:
        """The number of times that an attempt's function has run."""
        return private_file.tail(self.mark(folder)).count("run")

    def release(self, folder: str) -> None:
        """Let an attempt that is being held finish."""
        Path(f"{self.mark(folder)}.release").touch()

    # -- what the executor reports -----------------------------------------------------------------------------------

    def collect(self) -> None:
        """Wait a moment for events, and collect it."""
        due = self.executor.seconds_until_due()
        ready, _, _ = select.select(self.executor.filenos(), [], [], _PAUSE if due is None else min(_PAUSE, due))
        self.events += self.executor.poll(ready)

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Collect events until a condition holds."""
        limit = time.monotonic() + _DEADLINE
        while not condition():
            assert time.monotonic() < limit, f"{what} did not arrive within {_DEADLINE:.0f} s; events: {self.events}"
            self.collect()

    def wait_quietly(self) -> None:
        """Collect events for as long as something that must not happen would take."""
        limit = time.monotonic() + _QUIET
        self.until(lambda: time.monotonic() > limit, "the end of a pause")

    def exits(self, folder: str) -> list[Exit]:
        """The reported ends of an attempt."""
        return [each for each in self.events if isinstance(each, Exit) and each.folder == folder]

    def refusals(self, folder: str) -> list[Refusal]:
        """The reported refusals of an attempt."""
        return [each for each in self.events if isinstance(each, Refusal) and each.folder == folder]

    def end(self, folder: str) -> Exit:
        """Wait for the end of an attempt and its cleanup, and return what is known about it."""
        self.until(lambda: self.exits(folder), "the end of an attempt")
        return self.cleaned(self.exits(folder)[0])

    def cleaned(self, end: Exit) -> Exit:
        """Clean up after an attempt."""
        found: list[Exit] = []
        cleanup = self.executor.clean_up(end, _GRACE)

        def step() -> bool:
            known = cleanup.step()
            found.extend([] if known is None else [known])
            return bool(found)

        self.until(step, "all that can be known of an end")
        assert not list(cleanup.survivors)
        return found[0]


class ExecutorConformance:
    """The tests; subclass this."""

    def create(self, folder: StateFolder) -> Executor:
        """Create the executor."""
        raise NotImplementedError

    def break_launches(self, folder: StateFolder) -> None:
        """Make every launch from now on really fail, before the attempt has a process."""
        raise SkipTest(f"there is no known way to make launches in {folder.path} fail")

    @contextmanager
    def bench(self, root: Path) -> Iterator[Bench]:
        """Provide an executor within a block."""
        bench = Bench(root / "conformance", self.create)
        try:
            yield bench
        finally:
            bench.close()

    def needs(self: Self, able: bool) -> None:  # noqa: FBT001 - a capability
        """Skip a test if the executor does not claim the capability."""
        if not able:
            raise SkipTest("the executor does not claim that it can")

    # -- launch and poll ------------------------------------------------------------------------------------------

    def test_each_kind_launches_an_attempt_once_and_reports_its_end_once(self, tmp_path: Path) -> None:
        """An attempt runs once, its outcome exists when its end is reported, and nothing is reported twice."""
        with self.bench(tmp_path) as bench:
            assert bench.executor.capabilities.kinds
            for kind in bench.executor.capabilities.kinds:
                folder = bench.launch("note", kind)
                bench.end(folder)
                bench.wait_quietly()
                bench.executor.acknowledge([folder])
                bench.wait_quietly()
                assert (bench.runs(folder), len(bench.exits(folder)), bench.refusals(folder)) == (1, 1, []), kind
                assert (reports.outcome(folder) or reports.OutcomeReport()).succeeded, kind

    def test_several_attempts_at_once_are_told_apart(self, tmp_path: Path) -> None:
        """Each end belongs to its own attempt."""
        with self.bench(tmp_path) as bench:
            requests = [bench.prepare("leave", code=code) for code in range(4)]
            bench.executor.launch(requests)
            ends = [bench.end(request.folder) for request in requests]
            assert [bench.runs(request.folder) for request in requests] == [1] * 4
            if bench.executor.capabilities.knows_exit_status:
                assert [end.exit_code for end in ends] == [0, 1, 2, 3]
            bench.executor.acknowledge([request.folder for request in requests])

    def test_an_end_says_how_where_the_executor_claims_to_know(self, tmp_path: Path) -> None:
        """An exit code is never reported as a signal, or the reverse."""
        with self.bench(tmp_path) as bench:
            self.needs(bench.executor.capabilities.knows_exit_status)
            left, crashed = bench.end(bench.launch("leave", code=3)), bench.end(bench.launch("crash"))
            assert (left.exit_code, left.signal) == (3, None)
            assert crashed.was_seen
            assert (crashed.exit_code, crashed.signal) != (0, None)

    def test_an_end_says_what_was_used_where_the_executor_claims_to_measure(self, tmp_path: Path) -> None:
        """Bytes and seconds are plausible."""
        with self.bench(tmp_path) as bench:
            self.needs(bench.executor.capabilities.measures_usage)
            end = bench.end(bench.launch("note"))
            assert (end.peak_memory or 0) > 1 << 20
            assert 0 < (end.cpu_seconds or 0) < _DEADLINE

    def test_what_is_refused_has_not_run(self, tmp_path: Path) -> None:
        """A launch that fails is reported with a reason, and the attempt can be voided."""
        with self.bench(tmp_path) as bench:
            self.break_launches(bench.folder)
            folder = bench.launch("note")
            bench.until(lambda: bench.refusals(folder), "a refusal")
            assert bench.refusals(folder)[0].reason
            assert bench.executor.find(folder).status is AttemptStatus.VOID
            assert (bench.runs(folder), bench.exits(folder)) == (0, [])

    def test_it_chooses_a_kind_that_it_has(self, tmp_path: Path) -> None:
        """Even for a job that needs an interpreter with other options."""
        with self.bench(tmp_path) as bench:
            assert bench.executor.choose("another start", ["PYTHONHASHSEED"]).kind in bench.executor.capabilities.kinds

    # -- find -----------------------------------------------------------------------------------------------------

    def test_an_attempt_that_was_not_launched_is_voided_and_a_late_launch_runs_nothing(self, tmp_path: Path) -> None:
        """The first to create the start marker decides."""
        with self.bench(tmp_path) as bench:
            request = bench.prepare("note")
            found = bench.executor.find(request.folder)
            assert (found.status, found.begun) == (AttemptStatus.VOID, False)
            bench.executor.launch([request])
            bench.until(lambda: bench.exits(request.folder) or bench.refusals(request.folder), "the end of the late launch")
            assert not any(end.begun for end in bench.exits(request.folder))
            assert bench.runs(request.folder) == 0

    def test_an_attempt_outlives_its_executor_and_is_found_by_the_next(self, tmp_path: Path) -> None:
        """It is watched, not launched again, and its end is known."""
        with self.bench(tmp_path) as bench:
            self.needs(bench.executor.capabilities.finds_after_restart)
            folder = bench.launch("hold")
            bench.until(lambda: bench.runs(folder), "its run")
            bench.restart()
            found = bench.executor.find(folder)
            assert (found.status, found.begun) == (AttemptStatus.WATCHED, True)
            bench.wait_quietly()
            assert not bench.exits(folder)
            bench.release(folder)
            end = bench.end(folder)
            assert (bench.runs(folder), len(bench.exits(folder))) == (1, 1)
            assert (reports.outcome(folder) or reports.OutcomeReport()).succeeded
            if bench.executor.capabilities.knows_exit_status:
                assert end.exit_code == 0
            bench.executor.acknowledge([folder])

    def test_an_end_that_was_not_acknowledged_is_found_by_the_next(self, tmp_path: Path) -> None:
        """An end is reported until it is acknowledged."""
        with self.bench(tmp_path) as bench:
            self.needs(bench.executor.capabilities.finds_after_restart)
            folder = bench.launch("leave", code=3)
            bench.until(lambda: bench.exits(folder), "its end")
            bench.restart()
            found = bench.executor.find(folder)
            assert (found.status, found.begun) == (AttemptStatus.GONE, True)
            end = bench.cleaned(Exit(folder))
            assert bench.runs(folder) == 1
            if bench.executor.capabilities.knows_exit_status:
                assert end.exit_code == 3  # noqa: PLR2004 - as above
            bench.executor.acknowledge([folder])

    # -- cancel ---------------------------------------------------------------------------------------------------

    def test_a_cancelled_attempt_ends_and_what_it_has_started_ends_with_it(self, tmp_path: Path) -> None:
        """As far as the executor claims: including processes in their own sessions."""
        with self.bench(tmp_path) as bench:
            folder = bench.launch("breed")
            beat = f"{bench.mark(folder)}.beat"
            bench.until(lambda: bench.runs(folder), "its run")
            cancellation = bench.executor.cancel(folder, "cancelled", _GRACE)
            assert cancellation is not None

            def ended() -> bool:
                cancellation.step()
                return bool(bench.exits(folder))

            bench.until(ended, "its end")
            bench.end(folder)
            if bench.executor.capabilities.ends_whole_tree:
                size = os.stat(beat).st_size
                bench.wait_quietly()
                assert os.stat(beat).st_size == size
            bench.executor.acknowledge([folder])

    def test_an_attempt_that_is_cancelled_before_its_launch_never_runs(self, tmp_path: Path) -> None:
        """Its start is voided; nothing is left to end."""
        with self.bench(tmp_path) as bench:
            request = bench.prepare("note")
            assert bench.executor.cancel(request.folder, "cancelled", _GRACE) is None
            bench.executor.launch([request])
            bench.until(lambda: bench.exits(request.folder) or bench.refusals(request.folder), "the end of the late launch")
            assert bench.runs(request.folder) == 0

    # -- the supervisor's life ------------------------------------------------------------------------------------

    def test_an_executor_without_attempts_reports_nothing_and_closes(self, tmp_path: Path) -> None:
        """Getting ready to launch reports nothing."""
        with self.bench(tmp_path) as bench:
            bench.executor.warm_up()
            bench.executor.acknowledge([])
            bench.wait_quietly()
            assert (bench.events, bench.executor.problem, bench.executor.can_launch_nothing) == ([], None, False)
