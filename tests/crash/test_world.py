"""What the world does to a state folder: the clock is set, the disk is full, the folder goes, limits are low."""

import contextlib
import gc
import importlib.util
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import ipybgjobs as bg
from ipybgjobs.client import client as client_module
from ipybgjobs.client.client import Client
from ipybgjobs.commands.cli import main
from ipybgjobs.state import wake
from ipybgjobs.state.folder import StateFolder
from ipybgjobs.store.database import SCHEMA
from ipybgjobs.supervisor import loop
from ipybgjobs.system import place as where
from ipybgjobs.system.lock import FileLock
from support.driver import own_supervisor
from support.place import ALLOWED, DEADLINE, TESTS, Place, running, until

_DAY, _NIGHT = 86_400.0, 8 * 3600.0

#: A folder with a module that moves the clocks of each process that finds it.
_CLOCKED = TESTS / "support" / "clocked"


def nobody_is_left(place: Place) -> None:
    """Kill what works for the folder, as the end of a session or of a container does."""
    client_module.client().close()
    client_module.use(Client())
    while left := place.processes():
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


# -- the clock --------------------------------------------------------------------------------------------------------


@pytest.fixture
def clock(place, monkeypatch) -> Callable[..., None]:
    """Sets the clocks of all processes of the place, and of this one."""
    file = place.root / "clock"
    monkeypatch.setenv("IPYBGJOBS_TEST_CLOCK", str(file))
    monkeypatch.setenv("PYTHONPATH", str(_CLOCKED))
    found = importlib.util.spec_from_file_location("clocked", _CLOCKED / "sitecustomize.py")
    clocks = importlib.util.module_from_spec(found)
    before = time.time, time.time_ns, time.clock_gettime
    found.loader.exec_module(clocks)
    for name, real in zip(("time", "time_ns", "clock_gettime"), before, strict=True):
        moved = getattr(time, name)
        setattr(time, name, real)
        monkeypatch.setattr(time, name, moved)

    def move(*, ahead: float = 0.0, slept: float = 0.0) -> None:
        (place.root / "clock.new").write_text(f"{ahead} {slept}")
        os.replace(place.root / "clock.new", file)

    return move


@pytest.mark.parametrize("ahead", [-_DAY, _DAY])
def test_a_delay_is_as_long_as_it_was_meant_to_be_though_the_clock_was_set_while_nobody_looked(place, clock, ahead):
    place.allow(ALLOWED, RetryPolicy__delay_seconds=4.0)
    late = bg.submit("work.echo", {"value": 2}, delay="2h", retry_until="5h")
    timed = bg.submit("work.echo", {"value": 3}, at="2098-01-01 12:00")
    soon = bg.submit("work.echo", {"value": 1}, delay="4s", retry_until="30m")
    again = bg.submit("work.once_failing", {"marker": str(place.root / "marker")}, retry=2)
    until(lambda: again.state == "retrying", "the retry")
    moment = records(late)
    nobody_is_left(place)
    clock(ahead=ahead)
    assert soon.result(20) == 1
    assert again.result(20) == "second run"
    assert (late.state, timed.state) == ("queued", "queued")
    assert [each - ahead for each in records(late)] == pytest.approx(moment, abs=5)
    assert timed.status.startswith("queued, starts at 2098-01-01 12:00")
    late.cancel()
    timed.cancel()


def records(job: bg.Job) -> tuple[float, float]:
    """When a job may start, and its deadline."""
    with contextlib.closing(sqlite3.connect(f"{os.environ['IPYBGJOBS_STATE_DIR']}/jobs.db")) as connection:
        return connection.execute("SELECT not_before, deadline FROM jobs WHERE id = ?", (job.id,)).fetchone()


def test_what_is_submitted_after_the_clock_was_set_is_not_moved_with_what_was_there(place, clock):
    first = bg.submit("work.echo", {"value": 1}, delay="2h", retry_until="5h")
    until(place.supervisor_pid, "the supervisor")
    clock(ahead=-_DAY)
    second = bg.submit("work.echo", {"value": 2}, delay="2h", retry_until="5h")
    until(lambda: records(first)[0] < time.time() + 7300, "the first one's move")
    assert records(first) == pytest.approx(records(second), abs=30)
    assert (first.state, second.state) == ("queued", "queued")
    first.cancel()
    second.cancel()


def test_a_delay_of_another_boot_whose_clock_was_ahead_is_no_longer_than_it_was_meant_to_be(place, clock):
    clock(ahead=_DAY)
    soon = bg.submit("work.echo", {"value": 1}, delay="4s", retry_until="1h")
    timed = bg.submit("work.echo", {"value": 3}, at="2098-01-01 12:00")
    nobody_is_left(place)
    clock()
    with contextlib.closing(sqlite3.connect(place.state / "jobs.db")) as connection:  # as whoever takes over from a place does
        connection.execute("UPDATE jobs SET booted_at = NULL")
        connection.commit()
    assert soon.result(20) == 1
    assert records(soon)[1] < time.time() + 3700
    assert timed.status.startswith("queued, starts at 2098-01-01 12:00")
    timed.cancel()


def test_a_night_in_which_the_machine_sleeps_ends_no_attempt_starts_what_is_due_and_calls_nobody_silent(place, clock, capsys):
    held = running(bg.submit("work.Trainer.sleep", timeout="1h"))
    due = bg.submit("work.echo", {"value": 1}, delay="2h")
    until(lambda: due.status.startswith("queued, starts"), "the delay")
    clock(slept=_NIGHT)
    main(["doctor"])
    assert "not been heard from" not in capsys.readouterr().out
    assert due.result(20) == 1
    assert held.state == "running"
    held.cancel()


def test_a_supervisor_whose_clock_was_set_back_still_says_that_it_lives(place, monkeypatch):
    bg.submit("work.echo", {"value": 0}).wait(DEADLINE)
    until(lambda: not place.processes(), "the supervisor's end")
    held = FileLock.acquire(StateFolder(str(place.state)).supervisor_lock(where.here()), wait=True)
    wall = {"ahead": 0.0}
    supervisor = own_supervisor(place, lambda: time.time() + wall["ahead"])
    try:
        monkeypatch.setattr(loop, "_HEARTBEAT", 0.0)
        for ahead in (0.0, -_DAY):
            wall["ahead"] = ahead
            supervisor.tick(woken=True)
            [row] = supervisor.database.read("SELECT heard_at FROM supervisors")
            assert row["heard_at"] == pytest.approx(time.time() + ahead, abs=5)
    finally:
        supervisor.close()
        held.close()


# -- the disk ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def disk(place) -> Iterator[Callable[..., None]]:
    """Put the state folder on a disk of its own, which is small."""
    place.state.mkdir(mode=0o700)
    mounted: list[str] = []

    def mount(size: str) -> None:
        options = ["-t", "tmpfs", "-o", f"{size},mode=0700", "tmpfs", str(place.state)]
        if subprocess.run(["mount", *options], check=False, capture_output=True).returncode:
            pytest.skip("nothing can be mounted here")
        mounted.append(size)

    yield mount
    (place.state / "full").unlink(missing_ok=True)
    shutil.rmtree(place.state / "many", ignore_errors=True)
    until(lambda: not place.processes(), "the supervisor's end", 20)
    client_module.client().close()
    client_module.use(Client())
    if mounted:
        subprocess.run(["umount", "--lazy", str(place.state)], check=True)


def fill(place: Place) -> Path:
    """Take all space; return what takes it."""
    with contextlib.suppress(OSError), open(place.state / "full", "wb", buffering=0) as file:
        while file.write(bytes(1 << 12)):
            pass
    return place.state / "full"


def use_up_inodes(place: Place) -> Path:
    """Make files until there can be no more; return their folder."""
    (place.state / "many").mkdir()
    with contextlib.suppress(OSError):
        for number in range(100_000):
            (place.state / "many" / str(number)).touch()
    return place.state / "many"


def test_a_full_disk_refuses_new_jobs_in_one_sentence_shows_those_there_are_and_goes_on_once_there_is_space(place, disk):
    disk("size=4m")
    job = bg.submit("work.echo", {"value": 1})
    assert job.result(DEADLINE) == 1
    full = fill(place)
    for value in (2, {1, 2}):
        with pytest.raises(bg.StoreError, match=r"(The disk is full: free some space|No space left on device)\. Nothing was"):
            bg.submit("work.echo", {"value": value})
    assert [each.id for each in bg.jobs()] == [1]
    assert job.result() == 1
    full.unlink()
    assert bg.submit("work.echo", {"value": {1, 2}}).result(DEADLINE) == {1, 2}
    assert len(list((place.state / "jobs").iterdir())) == 2


def test_a_store_that_is_opened_on_a_full_disk_says_that_it_is_full(place, disk, capsys):
    disk("size=4m")
    assert bg.submit("work.echo", {"value": 1}).result(DEADLINE) == 1
    until(lambda: not place.processes(), "the supervisor's end")
    client_module.client().close()
    client_module.use(Client())
    fill(place)
    with pytest.raises(bg.StoreError, match="The disk is full: free some space"):
        bg.jobs()
    assert main(["doctor"]) == 1
    assert "The disk is full" in capsys.readouterr().out


def test_an_attempt_that_ends_while_the_disk_is_full_keeps_its_result_if_there_is_space_soon(place, disk):
    disk("size=4m")
    place.module(
        "ending",
        """
        import os, time

        def end(go: str, gone: str) -> int:
            print("here", flush=True)
            while not os.path.exists(go):
                time.sleep(0.01)
            open(gone, "w").close()
            return 7
    """,
    )
    place.allow({"ending": ["end"], "work": ["echo"]}, BackgroundJobs__queues={"default": 1})
    go, gone = place.root / "go", place.root / "gone"
    ends = running(bg.submit("ending.end", {"go": str(go), "gone": str(gone)}))
    waits = bg.submit("work.echo", {"value": 2})
    full = fill(place)
    go.touch()
    until(gone.exists, "the method's end")
    until(lambda: time.time() > gone.stat().st_mtime + 0.5, "a try to write the outcome")
    assert ends.state == "running"
    full.unlink()
    assert (ends.result(DEADLINE), waits.result(DEADLINE)) == (7, 2)


def test_without_an_inode_a_submit_is_refused_or_kept_and_never_both(place, disk):
    disk("size=8m,nr_inodes=60")
    assert bg.submit("work.echo", {"value": 1}).result(DEADLINE) == 1
    until(lambda: not place.processes(), "the supervisor's end")
    many = use_up_inodes(place)
    accepted = 1
    for value in (2, {1, 2}):
        try:
            bg.submit("work.echo", {"value": value})
            accepted += 1
        except bg.StoreError as error:
            accepted += "The job is stored" in str(error)
    shutil.rmtree(many)
    assert len(bg.jobs()) == accepted
    until(lambda: all(job.state == "succeeded" for job in bg.jobs()), "the jobs' ends")


def test_a_read_only_disk_is_refused_in_one_sentence(place, disk, capsys):
    disk("size=4m")
    assert bg.submit("work.echo", {"value": 1}).result(DEADLINE) == 1
    until(lambda: not place.processes(), "the supervisor's end")
    client_module.client().close()
    client_module.use(Client())
    gc.collect()  # the client before it holds the lock of this place
    subprocess.run(["mount", "-o", "remount,ro", str(place.state)], check=True)
    try:
        with pytest.raises(bg.StoreError, match=r"can't be opened: Read-only file system\. Nothing was changed"):
            bg.submit("work.echo", {"value": 2})
        assert main(["doctor"]) == 1
        assert "Can't write" in capsys.readouterr().out
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(place.state)], check=True)
    assert bg.submit("work.echo", {"value": 2}).result(DEADLINE) == 2
    assert len(bg.jobs()) == 2


# -- the folder -------------------------------------------------------------------------------------------------------


def test_a_umask_that_takes_the_owners_rights_costs_no_result(place):
    code = "import ipybgjobs as bg, os; os.umask(0o777); print(bg.submit('work.echo', {'value': {1, 2}}).result(60))"
    own = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.getuid() == 0 else []  # so that rights count
    for _ in range(2):
        done = subprocess.run([*own, sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=place.code)
        assert done.stdout == "{1, 2}\n", done.stderr
    for path, _, names in os.walk(place.state):
        assert all(os.lstat(f"{path}/{name}").st_mode & 0o600 == 0o600 for name in names), names


@pytest.mark.parametrize("gone", ["deleted", "moved away"])
def test_a_state_folder_that_is_gone_under_its_supervisor_ends_it_and_the_next_submit_makes_another(place, gone):
    held = running(bg.submit("work.Trainer.sleep"))
    [worker] = [int(process["pid"]) for process in [started(place, held)]]
    if gone == "deleted":
        shutil.rmtree(place.state)
    else:
        place.state.rename(place.root / "elsewhere")
    until(lambda: place.supervisor_pid() is None, "the supervisor's end")
    assert bg.submit("work.echo", {"value": 2}).result(DEADLINE) == 2
    assert [job.id for job in bg.jobs()] == [1]
    for errors in (place.state / "supervisor.err", place.root / "elsewhere" / "supervisor.err"):
        assert not errors.exists() or "Traceback" not in errors.read_text()
    os.kill(worker, signal.SIGKILL)


def started(place: Place, job: bg.Job) -> dict:
    return json.loads((place.state / "jobs" / job.uid / "1" / "started.json").read_text())["process"]


def test_a_supervisor_that_meets_a_store_of_a_newer_version_changes_nothing_and_says_so(place):
    assert bg.submit("work.echo", {"value": 1}).result(DEADLINE) == 1
    until(lambda: not place.processes(), "the supervisor's end")
    client_module.client().close()
    with contextlib.closing(sqlite3.connect(place.state / "jobs.db")) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    before = (place.state / "jobs.db").read_bytes()
    wake.start(StateFolder(str(place.state)))
    until(lambda: not place.processes(), "the supervisor's end", 20)
    assert (place.state / "jobs.db").read_bytes() == before
    said = (place.state / "supervisor.err").read_text()
    assert "was written by a newer version of ipybgjobs" in said
    assert "Traceback" not in said


# -- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("files", [16, 24, 48])
def test_with_few_descriptors_a_job_runs_or_the_refusal_says_what_to_raise(place, files):
    code = f"""
        import resource, sys
        import ipybgjobs as bg
        resource.setrlimit(resource.RLIMIT_NOFILE, ({files}, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        try:
            print(bg.submit("work.echo", {{"value": 7}}).result(30))
        except bg.BackgroundJobError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False, cwd=place.code
    )
    assert done.stdout == "7\n" or "oo many" in done.stdout, done
    assert "Traceback" not in done.stderr


# -- the system --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("within", "reason"),
    [
        (("--mount", "--map-root-user", "sh", "-c", 'mount -t tmpfs none /proc && exec "$0" "$@"'), "/proc is not mounted"),
        (("--pid", "--fork"), "/proc belongs to another PID namespace than this process"),
    ],
    ids=["no /proc", "another's /proc"],
)
def test_where_processes_can_not_be_told_apart_one_sentence_says_so(place, within, reason):
    said = f"Jobs can't be run or inspected here, since {reason}: mount it (mount -t proc proc /proc)."
    for words in (("submit", "work.echo", "value=1"), ("list",), ("doctor",)):
        command = ["unshare", "--user", *within, sys.executable, "-m", "ipybgjobs", *words]
        done = subprocess.run(command, cwd=place.code, capture_output=True, text=True, timeout=DEADLINE, check=False)
        if "unshare:" in done.stderr or "mount:" in done.stderr:
            pytest.skip("no namespace can be made here")
        assert (done.returncode, said in (done.stdout if words == ("doctor",) else done.stderr)) == (1, True), done
        assert "Traceback" not in done.stderr


def test_a_state_folder_whose_path_is_no_utf_8_has_jobs_that_run(place, monkeypatch):
    monkeypatch.setenv("IPYBGJOBS_STATE_DIR", os.fsdecode(os.fsencode(place.root) + b"/a\xff\nb"))
    assert bg.submit("work.echo", {"value": (7,)}).result(DEADLINE) == (7,)
    assert main(["list"]) == main(["doctor"]) == 0


def test_a_path_that_is_too_long_for_a_store_is_said_to_be(place, monkeypatch):
    monkeypatch.setenv("IPYBGJOBS_STATE_DIR", f"{place.root}/{'d' * 200}/{'d' * 200}/{'d' * 100}")
    with pytest.raises(bg.StoreError, match=r"Its path has \d+ bytes, and SQLite supports at most 503: set "):
        bg.submit("work.echo", {"value": 1})
    until(lambda: not place.processes(), "the end of whatever was started")
