"""The joints before an attempt's end: submit, wake-up, claim and launch, configuration at launch, owners.

Each test ends a process at the very boundary, and looks at what is left. Supervisors are the real ones; where a boundary can't be
hit from outside, a driver replaces one function by one that ends or stops the process there.
"""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from conftest import DEADLINE, Place, until

import ipybgjobs as bg
from ipybgjobs.client import client as client_module
from ipybgjobs.client.client import Client
from ipybgjobs.model.records import Outcome
from ipybgjobs.state import wake as summon
from ipybgjobs.state.folder import StateFolder
from ipybgjobs.system import identity, wakeup
from ipybgjobs.system import place as where

# -- what the tests of both files use -----------------------------------------------------------------------------------

#: Jobs that leave a trace of each run, beside the module.
JOINTS = """
    import os, signal, subprocess, sys, time

    HERE = os.path.dirname(__file__)

    def line(name):
        with open(f"{HERE}/{name}", "a") as file:
            file.write(f"{os.getpid()}\\n")

    line("imported")

    def note(name):
        line(f"ran.{name}")
        return name

    def brief(name, seconds: float):
        line(f"ran.{name}")
        time.sleep(seconds)
        return name

    def hold(name):
        line(f"ran.{name}")
        print("holding", flush=True)
        while not os.path.exists(f"{HERE}/release"):
            time.sleep(0.01)
        return name

    def fails():
        raise RuntimeError("as planned")

    def stubborn():
        '''Ignores the polite signals; so does what it left behind in a session of its own.'''
        script = "trap '' INT TERM; setsid sleep 600 >/dev/null 2>&1 & echo $! > $0"
        subprocess.run(["sh", "-c", script, f"{HERE}/grandchild"], check=True)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("stubborn", flush=True)
        while True:
            time.sleep(0.1)

    def die_at_outcome(boundary):
        '''Ends its process right before or after its outcome gets its name.'''
        replace = os.replace

        def deadly(source, target):
            if str(target).endswith("outcome.json"):
                if boundary == "after":
                    replace(source, target)
                os.kill(os.getpid(), signal.SIGKILL)
            replace(source, target)

        os.replace = deadly
        return boundary

    class Slow:
        def __reduce__(self):
            line("pickling")
            time.sleep(600)

    def slow_result():
        print("returning", flush=True)
        return Slow()
"""

METHODS = ["note", "brief", "hold", "fails", "stubborn", "die_at_outcome", "slow_result"]

#: A supervisor, and its fork server, with functions replaced. `die` and `stop` end or stop the process before or after one.
_DRIVER = """
import functools, os, signal, sys

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def stop(*_, stopped=[], **__):
    if not stopped:  # once
        stopped.append(True)
        os.kill(os.getpid(), signal.SIGSTOP)

def before(owner, name, act, when=lambda *_: True):
    function = getattr(owner, name)
    @functools.wraps(function)
    def replaced(*values, **options):
        if when(*values):
            act(*values)
        return function(*values, **options)
    setattr(owner, name, replaced)

def after(owner, name, act, when=lambda *_: True):
    function = getattr(owner, name)
    @functools.wraps(function)
    def replaced(*values, **options):
        result = function(*values, **options)
        if when(result, *values):
            act(*values)
        return result
    setattr(owner, name, replaced)

from ipybgjobs.state import attempt

if sys.argv[1] == "forkserver":
    from ipybgjobs.executors.local import forkserver
    from ipybgjobs.system import worker
    from ipybgjobs.worker import run
{forkserver}
    forkserver.main(sys.argv[2], int(sys.argv[3]))
    sys.exit()

from ipybgjobs.state import wake as summon
from ipybgjobs.executors.local import server
from ipybgjobs.executors.local.executor import LocalExecutor
from ipybgjobs.state.folder import StateFolder
from ipybgjobs.system import identity, place, tree
from ipybgjobs.system.lock import FileLock
from ipybgjobs.system.wakeup import Listener
from ipybgjobs.store import database
from ipybgjobs.store.database import Database
from ipybgjobs.supervisor import loop, starts
from ipybgjobs.supervisor import main as program

command = server.command
server.command = lambda role, *rest, **options: (
    [sys.executable, sys.argv[0], role, *rest] if role == "forkserver" else command(role, *rest, **options)
)
{supervisor}
folder = StateFolder(sys.argv[2])
turn = FileLock.acquire(folder.next_lock(place.here()), wait=True)
program.main(folder.path, turn.descriptor)
"""


def prepare(place: Place) -> Place:
    place.module("joints", JOINTS)
    allow(place)
    return place


@pytest.fixture
def joints(place: Place) -> Place:
    return prepare(place)


def allow(place: Place, methods: list[str] | None = None, **settings: object) -> None:
    chosen = {"BackgroundJobs__idle_seconds": 0.2, **settings}
    place.allow({"joints": METHODS if methods is None else methods}, **chosen)


def ran(place: Place, name: str) -> int:
    """How often a job's method has begun."""
    path = place.code / f"ran.{name}"
    return len(path.read_text().splitlines()) if path.exists() else 0


def release(place: Place) -> None:
    (place.code / "release").touch()


def rows(place: Place, sql: str, values: tuple = ()) -> list[tuple]:
    """Ask the store without opening it as a client would, which may start a supervisor."""
    connection = sqlite3.connect(place.state / "jobs.db", timeout=30)
    try:
        with connection:
            return connection.execute(sql, values).fetchall()
    finally:
        connection.close()


def state_of(place: Place, job_id: int = 1) -> str:
    return rows(place, "SELECT state FROM jobs WHERE id = ?", (job_id,))[0][0]


def ended(place: Place, job_id: int = 1) -> bool:
    return state_of(place, job_id) in ("succeeded", "failed", "cancelled")


def outcomes(job: bg.Job) -> list[tuple]:
    return [(a.number, a.outcome) for a in job.attempts]


def open_store() -> None:
    """What any notebook, script or command does first."""
    client = Client()
    client.jobs(limit=1)
    client.database(client.folder()).close()


def of_role(place: Place, role: str) -> list[int]:
    """PIDs of the place's processes of a role; a fork of a fork server, which bears its command line, is none."""
    return [pid for pid in _bearing(place, role) if not _writes_log(pid)]


def forks(place: Place) -> list[int]:
    """PIDs of forks of fork servers: attempts' processes."""
    return [pid for pid in _bearing(place, "forkserver") if _writes_log(pid)]


def _bearing(place: Place, role: str) -> list[int]:
    return [pid for pid, line in place.processes().items() if f" {role} " in f"{line} "]


def _writes_log(pid: int) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/fd/1").endswith("output.log")
    except OSError:
        return True


def attempt_folder(place: Place, job_id: int = 1) -> Path:
    [(folder,)] = rows(place, "SELECT folder FROM attempts WHERE job_id = ? ORDER BY number DESC LIMIT 1", (job_id,))
    return place.state / folder


def worker(place: Place, job_id: int = 1) -> int:
    """The PID of an attempt's process."""
    started = attempt_folder(place, job_id) / "started.json"
    until(started.exists, "the start marker")
    return int(json.loads(started.read_text())["process"]["pid"])


def alive(pid: int) -> bool:
    state = identity.look(pid)
    return state is not None and state.state not in "ZX"


def stopped(pid: int) -> bool:
    state = identity.look(pid)
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


def driven(place: Place, supervisor: str, forkserver: str = "") -> "subprocess.Popen[bytes]":
    """Start a supervisor with one boundary prepared, and wait until it listens."""
    StateFolder(str(place.state)).create()
    driver = place.root / "driver.py"
    code = _DRIVER.replace("{supervisor}", textwrap.dedent(supervisor))
    driver.write_text(code.replace("{forkserver}", textwrap.indent(textwrap.dedent(forkserver), "    ")))
    process = subprocess.Popen([sys.executable, driver, "supervisor", place.state], cwd="/")
    until(lambda: has_socket(place) or process.poll() is not None, "a driven supervisor")
    return process


def script(place: Place, code: str, *arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, cwd=place.code, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


# -- 1: submit ----------------------------------------------------------------------------------------------------------

_BEFORE_COMMIT = {
    "before its transaction": "submissions.submit = die",
    "inside its transaction": "submissions.context_id = die",
    "before the commit itself": """
        class Deadly(sqlite3.Connection):
            def execute(self, sql, *values):
                die() if sql == "COMMIT" else None
                return super().execute(sql, *values)
        client.use(client.Client())
        connect = sqlite3.connect
        sqlite3.connect = lambda *values, **options: connect(*values, factory=Deadly, **options)
    """,
}

_CLIENT = """
import os, pathlib, signal, sqlite3, sys
import ipybgjobs as bg
from ipybgjobs.client import client; from ipybgjobs.client import writer
from ipybgjobs.store import submissions

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

bg.jobs()
{patch}
bg.submit("joints.note", {"name": "late"} if len(sys.argv) < 2 else {"name": pathlib.PurePosixPath("late")})
"""


def killed_client(place: Place, patch: str, *arguments: object) -> None:
    client = script(place, _CLIENT.replace("{patch}", textwrap.dedent(patch)), *arguments)
    _, complaint = client.communicate(timeout=DEADLINE)
    assert client.returncode == -signal.SIGKILL, complaint


@pytest.mark.parametrize("boundary", _BEFORE_COMMIT)
def test_a_client_killed_after_its_files_and_before_the_commit_leaves_no_job(joints, boundary):
    killed_client(joints, _BEFORE_COMMIT[boundary], "pickled")
    [stray] = (joints.state / "jobs").iterdir()
    assert rows(joints, "SELECT * FROM jobs") == []
    assert bg.submit("joints.note", {"name": "other"}).result(DEADLINE) == "other"
    assert [job.id for job in bg.jobs()] == [1]
    assert stray.exists(), "it may be that of a submit under way"
    assert ran(joints, "late") == 0


def test_files_of_a_client_that_died_before_its_commit_go_by_age_and_no_others(joints):
    kept = bg.submit("joints.note", {"name": "other"}).wait(DEADLINE)
    until(lambda: not joints.processes(), "the supervisor's end")
    killed_client(joints, "submissions.submit = die", "pickled")
    folders = list((joints.state / "jobs").iterdir())
    assert len(folders) == 2
    for folder in folders:
        os.utime(folder, (1000, 1000))
    rows(joints, "PRAGMA application_id = 1")  # the store was made before those
    assert bg.submit("joints.note", {"name": "third"}).result(DEADLINE) == "third"
    assert not [folder for folder in folders if folder.exists() and folder.name != kept.uid]
    assert kept.result() == "other"


def test_a_client_killed_between_commit_and_wake_up_leaves_a_job_that_runs_when_the_store_is_opened(joints):
    killed_client(joints, "writer.wake = die")
    assert state_of(joints) == "queued"
    assert not joints.processes()
    open_store()
    until(lambda: state_of(joints) == "succeeded", "the job's end")
    assert ran(joints, "late") == 1


def test_a_client_killed_before_the_wake_up_of_an_idle_supervisor_leaves_a_job_that_runs_when_the_store_is_opened(joints):
    allow(joints, BackgroundJobs__idle_seconds=300.0)
    assert bg.submit("joints.note", {"name": "first"}).result(DEADLINE) == "first"
    killed_client(joints, "writer.wake = die")
    assert len(of_role(joints, "supervisor")) == 1
    open_store()
    until(lambda: ended(joints, 2), "the job's end", 10)
    assert ran(joints, "late") == 1
    kill_helpers(joints)


# -- 2: claim and launch ------------------------------------------------------------------------------------------------

_LAUNCH = {
    "claimed, not committed": "after(starts.Starter, 'claim', die, lambda result, *_: result[0])",
    "committed, no folder": "starts.Starter.launch = die",
    "a folder, no request": "before(os, 'open', die, lambda path, *_: attempt.REQUEST in str(path))",
    "a request, not sent": "before(LocalExecutor, 'launch', die, lambda _, launches: launches)",
    "sent": "after(LocalExecutor, 'launch', die, lambda _, __, launches: launches)",
}


@pytest.mark.parametrize("boundary", _LAUNCH)
def test_a_supervisor_killed_around_a_launch_is_replaced_and_the_method_runs_once(joints, boundary):
    dead = driven(joints, _LAUNCH[boundary])
    bg.submit("joints.note", {"name": "once"})
    assert dead.wait(DEADLINE) == -signal.SIGKILL
    until(lambda: ended(joints), "the job's end, with no client there")
    assert outcomes(bg.job(1)) == [(1, "succeeded")]
    assert ran(joints, "once") == 1


def test_a_worker_whose_folder_was_taken_away_before_it_began_ends_without_a_traceback(joints):
    moved = joints.root / "moved"
    taken = driven(joints, "", f"before(worker, 'redirect_output', lambda *_: os.rename({str(joints.state)!r}, {str(moved)!r}))")
    bg.submit("joints.note", {"name": "late"})
    assert taken.wait(DEADLINE) == 0
    until(lambda: not joints.processes(), "the end of all")
    assert "Traceback" not in (moved / "supervisor.err").read_text()
    assert ran(joints, "late") == 0


def test_supervisors_killed_around_a_launch_again_and_again_do_not_use_up_the_attempts(joints):
    for patch in (_LAUNCH["committed, no folder"], _LAUNCH["a request, not sent"], _LAUNCH["a folder, no request"]):
        # Without a fork server that would start another.
        dead = driven(joints, f"LocalExecutor.ensure_fork_server = lambda self: None\n{textwrap.dedent(patch)}")
        if not rows(joints, "SELECT * FROM jobs"):
            bg.submit("joints.note", {"name": "once"})
        assert dead.wait(DEADLINE) == -signal.SIGKILL
    assert state_of(joints) == "running"
    open_store()
    assert bg.job(1).result(DEADLINE) == "once"
    assert outcomes(bg.job(1)) == [(1, "succeeded")]
    assert ran(joints, "once") == 1


def test_a_start_request_that_outlives_its_supervisor_starts_nothing_a_second_time(joints):
    dead = driven(
        joints,
        """
        stop_server = lambda self, _: os.kill(self._servers[-1].process.pid, signal.SIGSTOP)
        before(LocalExecutor, "launch", stop_server, lambda _, launches: launches)
        after(LocalExecutor, "launch", die, lambda _, __, launches: launches)
        """,
    )
    [forkserver] = until(lambda: of_role(joints, "forkserver"), "a fork server")
    bg.submit("joints.note", {"name": "once"})
    assert dead.wait(DEADLINE) == -signal.SIGKILL
    assert stopped(forkserver)
    open_store()
    until(lambda: ended(joints), "the job's end")
    os.kill(forkserver, signal.SIGCONT)
    until(lambda: not alive(forkserver), "the end of the fork server whose request came late")
    assert ran(joints, "once") == 1
    assert rows(joints, "SELECT number, launches, outcome FROM attempts") == [(1, 2, "succeeded")]


def test_a_worker_that_comes_too_late_to_claim_its_start_runs_nothing(joints):
    """It is stopped between its fork and its claim; meanwhile its supervisor dies, and the next one voids the start."""
    supervisor = driven(joints, "", "before(run, 'main', stop)")
    [forkserver] = until(lambda: of_role(joints, "forkserver"), "a fork server")
    bg.submit("joints.note", {"name": "once"})
    [late] = until(lambda: [pid for pid in forks(joints) if stopped(pid)], "a stopped worker")
    kill(supervisor.pid)
    supervisor.wait()
    until(lambda: ended(joints), "the job's end")
    assert ran(joints, "once") == 1
    assert stopped(late)
    os.kill(late, signal.SIGCONT)
    until(lambda: not alive(forkserver), "the end of the first fork server")
    assert ran(joints, "once") == 1
    assert rows(joints, "SELECT number, launches, outcome FROM attempts") == [(1, 2, "succeeded")]


def test_a_cancel_of_an_attempt_that_a_dead_supervisor_never_launched_ends_it_unstarted(joints):
    dead = driven(joints, f"LocalExecutor.ensure_fork_server = lambda self: None\n{_LAUNCH['committed, no folder']}")
    job = bg.submit("joints.note", {"name": "never"})
    assert dead.wait(DEADLINE) == -signal.SIGKILL
    assert state_of(joints) == "running"
    rows(
        joints,
        "INSERT INTO requests (job_id, place, verb, options, requested_at) VALUES (1, ?, 'cancel', '{\"grace\": null}', 0)",
        (where.here(),),
    )
    open_store()
    until(lambda: ended(joints), "the job's end")
    assert outcomes(job) == [(1, "cancelled")]
    assert ran(joints, "never") == 0
    assert "Traceback" not in (joints.state / "supervisor.err").read_text()


_SECRET = "s3cret-" + "x" * 20


def files_with(place: Place, text: str) -> list[str]:
    files = [path for path in place.state.rglob("*") if path.is_file()]
    return [str(path.relative_to(place.state)) for path in files if text.encode() in content(path)]


def content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""  # gone since it was listed, as SQLite's helper files go


@pytest.mark.parametrize("boundary", ["a folder, no request", "a request, not sent", "sent"])
def test_environment_variables_go_with_the_job_though_its_supervisor_died_around_the_launch(joints, monkeypatch, boundary):
    monkeypatch.setenv("MY_TOKEN", _SECRET)
    dead = driven(joints, _LAUNCH[boundary])
    bg.submit("joints.note", {"name": "once"})
    assert dead.wait(DEADLINE) == -signal.SIGKILL
    until(lambda: ended(joints), "the job's end")
    client_module.client().database(StateFolder(str(joints.state))).close()
    until(lambda: not files_with(joints, _SECRET), f"the end of the variables in {files_with(joints, _SECRET)}", 10)


def test_environment_variables_that_a_dead_supervisor_left_in_the_stores_log_go_with_the_next(joints, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", _SECRET)
    dead = driven(joints, """before(Database, "fold", die, lambda self: self.read("SELECT 1 FROM jobs WHERE state > 's'"))""")
    bg.submit("joints.note", {"name": "once"})
    assert dead.wait(DEADLINE) == -signal.SIGKILL
    assert ended(joints)
    monkeypatch.delenv("MY_TOKEN")
    bg.submit("joints.note", {"name": "other"})
    until(lambda: not files_with(joints, _SECRET), "the end of the variables in the store's log", 15)


def test_an_attempt_whose_folder_can_not_be_written_can_be_cancelled(joints):
    job = bg.submit("joints.note", {"name": "never"}, delay=0.3)
    (joints.state / "jobs" / job.uid).write_text("in the way")
    until(lambda: job.state == "running", "the claim")
    client = client_module.client()
    client.cancel(client.folder(), [job.id], 0.1)
    try:
        until(lambda: job.state == "cancelled", "the cancel", 15)
    finally:
        (joints.state / "jobs" / job.uid).unlink()
    assert ran(joints, "never") == 0


# -- 3: wake-up ---------------------------------------------------------------------------------------------------------

_IDLE_END = {
    "before it closes its wake-up": "before(Listener, 'close', stop)",
    "when it has closed its wake-up": "after(Listener, 'close', stop)",
    "when it has looked at the store for the last time": "before(loop.Supervisor, 'close', stop)",
    "when its fork server has gone": "after(loop.Supervisor, 'close', stop)",
}


@pytest.mark.parametrize(
    ("boundary", "then"),
    [*((boundary, signal.SIGCONT) for boundary in _IDLE_END), *((boundary, signal.SIGKILL) for boundary in list(_IDLE_END)[:3])],
)
def test_a_job_submitted_at_the_end_of_the_idle_time_runs(joints, boundary, then):
    supervisor = driven(joints, _IDLE_END[boundary])
    bg.submit("joints.note", {"name": "first"})
    until(lambda: stopped(supervisor.pid), "the end of the idle time")
    assert ended(joints, 1)
    bg.submit("joints.note", {"name": "second"})
    supervisor.send_signal(then)
    until(lambda: ended(joints, 2), "the second job's end")
    assert ran(joints, "second") == 1
    until(lambda: supervisor.poll() is not None, "the first supervisor's end")


_SUBMIT_AND_LOOK = """
import random, sys, time
import ipybgjobs as bg
draw = random.Random(int(sys.argv[1]))
for number in range(int(sys.argv[2])):
    job = bg.submit("joints.note", {"name": f"{sys.argv[1]}.{number}"})
    limit = time.monotonic() + 20
    while job.state != "succeeded":        # not wait(), which looks for a supervisor
        if time.monotonic() > limit:
            sys.exit(f"job {job.id} is {job.state}: the wake-up was lost")
        time.sleep(0.002)
    time.sleep(draw.uniform(0.03, 0.09))   # about when the supervisor ends
"""


def test_submits_at_the_end_of_very_short_idle_times_are_never_lost(joints):
    allow(joints, BackgroundJobs__idle_seconds=0.05)
    clients = [script(joints, _SUBMIT_AND_LOOK, seed, 8) for seed in (1, 2, 3)]
    for client in clients:
        _, complaint = client.communicate(timeout=DEADLINE * 2)
        assert client.returncode == 0, complaint
    assert rows(joints, "SELECT state, count(*) FROM jobs GROUP BY state") == [("succeeded", 24)]
    assert all(ran(joints, f"{seed}.{number}") == 1 for seed in (1, 2, 3) for number in range(8))


_SUBMIT_AT_ONCE = """
import os, sys, time
import ipybgjobs as bg
open(sys.argv[1] + "/ready." + sys.argv[2], "w").close()
while not os.path.exists(sys.argv[1] + "/go"):
    time.sleep(0.001)
for number in range(3):
    bg.submit("joints.note", {"name": f"{sys.argv[2]}.{number}"})
"""


def test_ten_scripts_at_a_cold_start_get_one_supervisor_and_all_their_jobs(joints):
    allow(joints, BackgroundJobs__idle_seconds=300.0)
    clients = [script(joints, _SUBMIT_AT_ONCE, joints.root, number) for number in range(10)]
    until(lambda: len(list(joints.root.glob("ready.*"))) == 10, "ten scripts")
    (joints.root / "go").touch()
    for client in clients:
        _, complaint = client.communicate(timeout=DEADLINE)
        assert client.returncode == 0, complaint
    until(lambda: rows(joints, "SELECT count(*) FROM jobs WHERE state = 'succeeded'") == [(30,)], "all jobs")
    assert all(ran(joints, f"{client}.{number}") == 1 for client in range(10) for number in range(3))
    assert len(of_role(joints, "supervisor")) == 1
    kill_helpers(joints)


def test_one_who_comes_late_to_start_a_supervisor_leaves_it_to_the_one_that_listens(joints):
    """Its hint found nobody, then a supervisor began to listen and gave its turn away."""
    job = bg.submit("joints.hold", {"name": "first"})
    until(lambda: job.state == "running", "the job")
    summon.start(StateFolder(str(joints.state)))
    try:
        # A child that is being started bears its parent's command line for a moment; a second supervisor would stay.
        until(lambda: len(of_role(joints, "supervisor")) == 1, "one supervisor")
    finally:
        release(joints)
    job.wait(DEADLINE)


def test_one_who_left_it_to_a_listener_starts_another_where_that_one_has_ended_meanwhile(joints):
    """While it held the turn to start one, somebody else relied on it, and the listener had its last look at the store."""
    bg.submit("joints.hold", {"name": "first"})
    until(lambda: ran(joints, "first"), "a supervisor that listens")
    late = script(
        joints,
        """
        import os, signal, sys
        from ipybgjobs.state import wake as summon
        from ipybgjobs.state.folder import StateFolder
        from ipybgjobs.system.lock import FileLock
        close = FileLock.close
        def slow(self):
            os.kill(os.getpid(), signal.SIGSTOP)
            close(self)
        FileLock.close = slow
        summon.start(StateFolder(sys.argv[1]))
        """,
        joints.state,
    )
    until(lambda: stopped(late.pid), "the one who holds the turn")
    release(joints)
    until(lambda: not of_role(joints, "supervisor"), "the end of the listener")
    bg.submit("joints.note", {"name": "second"})
    assert not of_role(joints, "supervisor"), "the turn was not taken"
    while late.poll() is None:
        late.send_signal(signal.SIGCONT)
        until(lambda: stopped(late.pid) or late.poll() is not None)
    assert late.communicate()[1] == ""
    until(lambda: ended(joints, 2), "the second job's end", 20)


def test_an_idle_supervisor_whose_socket_was_tidied_away_still_hears_of_a_job(joints):
    allow(joints, BackgroundJobs__idle_seconds=300.0)
    assert bg.submit("joints.note", {"name": "first"}).result(DEADLINE) == "first"
    for socket in joints.state.glob("wakeup*.sock"):
        socket.unlink()
    bg.submit("joints.note", {"name": "second"})
    try:
        until(lambda: ended(joints, 2), "the second job's end, long before the idle time is over", 20)
    finally:
        kill_helpers(joints)


def test_a_busy_supervisor_whose_socket_was_tidied_away_still_hears_of_a_job(joints):
    held = bg.submit("joints.hold", {"name": "first"})
    until(lambda: held.state == "running", "the first job")
    for socket in joints.state.glob("wakeup*.sock"):
        socket.unlink()
    bg.submit("joints.note", {"name": "second"})
    until(lambda: ended(joints, 2), "the second job's end while the first one runs", 20)
    assert held.state == "running"
    release(joints)
    held.wait(DEADLINE)


def test_a_supervisor_of_another_place_in_the_same_folder_does_not_swallow_the_wake_up(joints):
    """Containers that share a folder share its sockets too."""
    other = driven(joints, "identity._constant['namespace'] = 'pid:[1]'")
    bg.submit("joints.note", {"name": "here"})
    until(lambda: ended(joints), "the job's end by a supervisor of this host", 20)
    assert other.poll() is None
    other.kill()
    other.wait()
    kill_helpers(joints)


def test_a_store_that_refuses_for_a_while_is_tried_again_until_it_does_not(joints):
    pause, refused = joints.root / "pause", joints.root / "refused"
    supervisor = driven(
        joints,
        f"""
        database.BUSY_SECONDS = 0.05
        loop.FALLBACK = loop.AGAIN = 0.1
        before(loop.Supervisor, "tick", stop, lambda *_: os.path.exists({str(pause)!r}))
        decide = loop.Supervisor._decide
        def counted(self):
            try:
                return decide(self)
            except loop.StoreError:
                open({str(refused)!r}, "a").write("once\\n")
                raise
        loop.Supervisor._decide = counted
        """,
    )
    pause.touch()
    wake(joints)
    until(lambda: stopped(supervisor.pid), "a supervisor that holds nothing")
    bg.submit("joints.note", {"name": "late"})
    writer = sqlite3.connect(joints.state / "jobs.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    try:
        supervisor.send_signal(signal.SIGCONT)
        until(lambda: refused.exists() and len(refused.read_text().splitlines()) >= 4, "a fourth try", 15)
    finally:
        writer.execute("ROLLBACK")  # nothing is committed: no change of the store tells the supervisor
        writer.close()
    until(lambda: ended(joints), "the job's end", 15)
    until(lambda: supervisor.poll() is not None, "the supervisor's end")


def test_a_supervisor_that_can_not_even_start_is_not_started_again_and_again_without_a_pause(joints):
    """Its fork server lives, and would replace it; a socket that can't be made stands for a full disk."""
    StateFolder(str(joints.state)).create()
    in_the_way = [joints.state / "wakeup.sock", joints.state / wakeup.name()]
    for path in in_the_way:
        path.mkdir()
    bg.submit("joints.note", {"name": "late"})
    errors = joints.state / "supervisor.err"
    until(lambda: "Traceback" in errors.read_text(), "a supervisor that could not start")
    began = time.monotonic()
    until(lambda: time.monotonic() > began + 3.0)
    starts = errors.read_text().count("Traceback")
    for path in in_the_way:
        path.rmdir()
    open_store()
    until(lambda: ended(joints), "the job's end once it can start")
    assert starts <= 4


# -- 7: configuration at launch -----------------------------------------------------------------------------------------


def imports(place: Place) -> set[int]:
    """Who has imported the user's module."""
    return set(map(int, (place.code / "imported").read_text().splitlines()))


def delayed(place: Place) -> bg.Job:
    allow(place, RetryPolicy__max_attempts=3)
    return bg.submit("joints.note", {"name": "struck"}, delay=0.4)


def waiting_for_a_retry(place: Place) -> bg.Job:
    allow(place, RetryPolicy__max_attempts=3, RetryPolicy__delay_seconds=0.6)
    job = bg.submit("joints.fails")
    until(lambda: job.state == "queued" and job.attempts, "the first failure")
    return job


@pytest.mark.parametrize("allowed", [["hold"], None], ids=["method struck off", "entry struck off"])
@pytest.mark.parametrize("waiting", [delayed, waiting_for_a_retry])
def test_a_method_struck_off_the_list_before_its_launch_is_denied_and_nothing_of_the_users_is_imported(joints, waiting, allowed):
    job = waiting(joints)
    before = len(job.attempts)
    imported = imports(joints)
    joints.allow({"work": ["echo"]} if allowed is None else {"joints": allowed}, RetryPolicy__max_attempts=3)
    until(lambda: job.state.ended, "the job's end")
    assert job.state == "failed"
    assert outcomes(job)[before:] == [(before + 1, "denied")]
    assert "allowlist" in job.error
    assert imports(joints) == imported
    assert ran(joints, "struck") == 0


def test_a_method_struck_off_while_its_job_waits_for_a_slot_is_denied(joints):
    joints.allow({"joints": METHODS}, BackgroundJobs__queues={"default": 1}, RetryPolicy__max_attempts=3)
    blocker = bg.submit("joints.hold", {"name": "blocker"})
    until(lambda: blocker.state == "running", "the blocker")
    job = bg.submit("joints.note", {"name": "struck"})
    until(lambda: ran(joints, "blocker"), "the blocker's run")
    imported = imports(joints)
    allow(joints, ["hold"], BackgroundJobs__queues={"default": 1}, RetryPolicy__max_attempts=3)
    release(joints)
    until(lambda: job.state.ended, "the job's end")
    assert (job.state, outcomes(job)) == ("failed", [(1, "denied")])
    assert imports(joints) == imported
    assert blocker.state == "succeeded"


@pytest.mark.parametrize("allowed", [["hold"], None], ids=["method struck off", "entry struck off"])
def test_a_method_struck_off_between_a_dead_supervisors_claim_and_the_next_launch_is_denied(joints, allowed):
    dead = driven(joints, f"LocalExecutor.ensure_fork_server = lambda self: None\n{_LAUNCH['committed, no folder']}")
    job = bg.submit("joints.note", {"name": "struck"})
    assert dead.wait(DEADLINE) == -signal.SIGKILL
    joints.allow({"work": ["echo"]} if allowed is None else {"joints": allowed}, RetryPolicy__max_attempts=3)
    open_store()
    try:
        until(lambda: ended(joints), "the job's end", 20)
        assert (job.state, outcomes(job)[-1][1]) == ("failed", "denied")
        assert ran(joints, "struck") == 0
    finally:
        kill_helpers(joints)


def copied_row(place: Place, /, **changes: object) -> int:
    """Insert a copy of job 1 that no client wrote."""
    names = [row[1] for row in rows(place, "PRAGMA table_info(jobs)") if row[1] != "id"]
    changes = {"uid": os.urandom(16).hex(), "state": "queued", "attempt": 0, "ended_at": None, "started_at": None, **changes}
    chosen = ", ".join(f"? AS {name}" if name in changes else name for name in names)
    values = tuple(changes[name] for name in names if name in changes)
    rows(place, f"INSERT INTO jobs ({', '.join(names)}) SELECT {chosen} FROM jobs WHERE id = 1", values)
    return rows(place, "SELECT max(id) FROM jobs")[0][0]


@pytest.mark.parametrize("target", ["os.system", "joints.line", "joints.note.__call__", "os", ""])
def test_a_row_that_no_client_wrote_is_denied(joints, target):
    bg.submit("joints.note", {"name": "honest"}).wait(DEADLINE)
    imported = imports(joints)
    number = copied_row(joints, target=target, params='{"command": "true"}')
    open_store()
    until(lambda: ended(joints, number), "its end", 20)
    assert (state_of(joints, number), outcomes(bg.job(number))) == ("failed", [(1, Outcome.DENIED)])
    assert imports(joints) == imported


@pytest.mark.parametrize("column", ["params", "init", "positional", "rules"])
def test_a_row_that_can_not_be_read_keeps_no_other_job_from_running(joints, column):
    bg.submit("joints.note", {"name": "first"}).wait(DEADLINE)
    number = copied_row(joints, **{column: "no JSON"})
    bg.submit("joints.note", {"name": "second"})
    try:
        until(lambda: ended(joints, number + 1), "the job after it", 15)
        until(lambda: ended(joints, number), "its own end", 15)
    finally:
        kill_helpers(joints)
        rows(joints, "DELETE FROM attempts WHERE job_id = ?", (number,))
        rows(joints, "DELETE FROM jobs WHERE id = ?", (number,))
    assert ran(joints, "second") == 1


def notice(place: Place) -> str:
    return (rows(place, "SELECT notice FROM supervisors") or [("",)])[0][0] or ""


def test_a_file_that_is_broken_after_the_submit_holds_the_job_says_so_and_denies_nothing(joints):
    job = bg.submit("joints.note", {"name": "patient"}, delay=0.4)
    sound = joints.config_file.read_text()
    joints.config_file.write_text(sound + "c.BackgroundJobs.allowed_jobs = {\n")
    try:
        until(lambda: str(joints.config_file) in notice(joints), "a notice that names the file", 20)
        assert (job.state, job.attempts) == ("queued", [])
    finally:
        joints.config_file.write_text(sound)
    until(lambda: job.state == "succeeded", "the job's end once the file is mended", 20)
    assert outcomes(job) == [(1, "succeeded")]
    until(lambda: not notice(joints) or not joints.processes(), "the end of the notice")


def test_a_job_whose_configuration_was_removed_waits_and_runs_when_it_is_back(joints):
    job = bg.submit("joints.note", {"name": "patient"}, delay=0.4)
    away = joints.config_file.rename(joints.root / "away.py")
    try:
        until(lambda: str(joints.config_file) in notice(joints), "a notice that names the file", 20)
        assert (job.state, job.attempts) == ("queued", [])
    finally:
        away.rename(joints.config_file)
    until(lambda: job.state == "succeeded", "the job's end once the file is back", 20)


def test_an_evaluation_of_the_configuration_that_is_killed_is_repeated(joints):
    """Out of memory, say: nothing is wrong with the files, so nobody will ever touch them."""
    marker = joints.root / "slow"
    marker.touch()
    slow = f"import os, time\nwhile os.path.exists({str(marker)!r}):\n    time.sleep(0.01)\n"
    job = bg.submit("joints.note", {"name": "patient"}, delay=0.4)
    joints.config_file.write_text(slow + joints.config_file.read_text())
    [child] = until(lambda: of_role(joints, "configuration"), "the evaluation")
    marker.unlink()
    kill(child)
    try:
        until(lambda: job.state == "succeeded", "the job's end", 30)
    finally:
        kill_helpers(joints)


def test_an_interpreter_that_is_gone_holds_its_own_jobs_and_no_others(joints):
    assert bg.submit("joints.note", {"name": "first"}).result(DEADLINE) == "first"
    until(lambda: not joints.processes(), "the supervisor's end")
    rows(joints, "INSERT INTO contexts (body) SELECT replace(body, ?, '/gone/python') FROM contexts", (sys.executable,))
    held = copied_row(joints, context=2, environment=None)
    environment = "SELECT id FROM environments"
    job = bg.submit("joints.note", {"name": "sound"}, delay=0.5)
    rows(joints, f"UPDATE jobs SET environment = ({environment}) WHERE id = ?", (held,))
    try:
        until(lambda: ended(joints, job.id), "the job's end", 20)
        assert "/gone/python" in notice(joints)
        assert state_of(joints, held) == "queued"
    finally:
        rows(joints, "UPDATE jobs SET state = 'cancelled' WHERE id = ?", (held,))
        kill_helpers(joints)


# -- 8: owners ----------------------------------------------------------------------------------------------------------


def test_a_queued_job_of_another_place_is_not_claimed(joints):
    job = bg.submit("joints.note", {"name": "theirs"}, delay=600)
    rows(joints, "UPDATE jobs SET place = 'elsewhere', host = 'elsewhere', not_before = 0")
    assert bg.submit("joints.note", {"name": "ours"}).result(DEADLINE) == "ours"
    until(lambda: not joints.processes(), "the end of the supervisor, for whom there is nothing to do")
    assert (job.state, job.attempts, ran(joints, "theirs")) == ("queued", [], 0)
    assert "elsewhere" in job.status
    assert "never heard of" in job.status
    with pytest.raises(bg.InvalidRequest, match=r"elsewhere.*bgjobs adopt 1"):
        job.cancel()


def test_the_interpreter_of_another_places_job_is_not_looked_for_here(joints):
    assert bg.submit("joints.note", {"name": "ours"}).result(DEADLINE) == "ours"
    until(lambda: not joints.processes(), "the supervisor's end")
    rows(joints, "INSERT INTO contexts (body) SELECT replace(body, ?, '/elsewhere/python') FROM contexts", (sys.executable,))
    copied_row(joints, place="elsewhere", context=2)
    assert bg.submit("joints.note", {"name": "ours"}).result(DEADLINE) == "ours"
    assert notice(joints) == ""


def test_a_running_job_of_another_place_is_not_declared_lost(joints):
    job = bg.submit("joints.hold", {"name": "theirs"})
    until(lambda: ran(joints, "theirs"), "the job's run")
    pid = worker(joints)
    kill_helpers(joints)
    kill(pid)
    rows(joints, "UPDATE jobs SET place = 'elsewhere', host = 'elsewhere'")
    rows(joints, "UPDATE attempts SET place = 'elsewhere'")
    rows(joints, "UPDATE supervisors SET place = 'elsewhere', heard_at = heard_at - 7200")
    assert bg.submit("joints.note", {"name": "ours"}).result(DEADLINE) == "ours"
    until(lambda: not joints.processes(), "the end of the supervisor")
    assert (job.state, outcomes(job)) == ("running", [(1, None)])
    assert "elsewhere" in job.status
    assert "last heard 2 h" in job.status


# -- 9: which way an attempt was launched -------------------------------------------------------------------------------


def test_how_and_why_an_attempt_was_launched_is_recorded(joints, monkeypatch):
    held = bg.submit("joints.hold", {"name": "first"})
    until(lambda: held.state == "running", "the first job")
    monkeypatch.setenv("MALLOC_ARENA_MAX", "3")
    other = bg.submit("joints.note", {"name": "second"}).wait(DEADLINE)
    release(joints)
    held.wait(DEADLINE)
    [first], [second] = held.attempts, other.attempts
    assert (first.launched_by, first.launch_reason, first.outcome) == ("fork", None, "succeeded")
    assert (second.launched_by, second.outcome) == ("fresh process", "succeeded")
    assert "interpreter" in second.launch_reason


def test_an_attempt_that_is_launched_again_another_way_says_so(joints, monkeypatch):
    dead = driven(joints, f"LocalExecutor.ensure_fork_server = lambda self: None\n{_LAUNCH['committed, no folder']}")
    job = bg.submit("joints.note", {"name": "once"})
    assert dead.wait(DEADLINE) == -signal.SIGKILL
    monkeypatch.setenv("MALLOC_ARENA_MAX", "3")  # what the next supervisor starts with
    open_store()
    job.wait(DEADLINE)
    [attempt] = job.attempts
    assert (attempt.launched_by, attempt.outcome) == ("fresh process", "succeeded")
    assert attempt.launch_reason
