"""To whom a job belongs: to a place that can hold its lock, whatever its host is called. With real namespaces."""

import contextlib
import gc
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

import ipybgjobs as bg
from ipybgjobs.client import client as client_module
from ipybgjobs.client.jobs.job_status import FullQueues
from ipybgjobs.commands.cli import main
from ipybgjobs.configuration import sources
from ipybgjobs.panel import overview
from ipybgjobs.panel.feed import _ChangeTracker
from ipybgjobs.state import occupancy
from ipybgjobs.state.folder import StateFolder
from ipybgjobs.store import restoring, salvage
from ipybgjobs.store.database import SCHEMA, Database
from ipybgjobs.system import identity, lock
from ipybgjobs.system import place as where
from ipybgjobs.targets import context as snapshot
from support.namespaces import ISOLATED, needs_namespaces
from support.old_rows import _ROW, insert
from support.place import DEADLINE, Place, until
from support.processes import kill_helpers, of_role
from support.rows import rows

_BOOT_ID = "/proc/sys/kernel/random/boot_id"


#: What the first process of a container runs: a script that ends with it, given line by line.
_FIRST = """
import json, os, subprocess, sys
for line in sys.stdin:
    code = "import ipybgjobs as bg, os, time\\n" + json.loads(line)
    print("done", subprocess.run([sys.executable, "-c", code]).returncode, flush=True)
"""


class Container:
    """A host name and a PID namespace of their own, and in them a process that runs scripts; they end with it."""

    def __init__(self, place: Place, host: str, boot: str | None = None, state: Path | None = None) -> None:
        self._place = place
        own = f"hostname {host}; "
        if boot is not None:
            (place.root / "boot_id").write_text(f"{boot}\n")
            own += f"mount --bind {place.root / 'boot_id'} {_BOOT_ID}; "
        variables = {**place.environment, "IPYBGJOBS_STATE_DIR": str(state or place.state)}
        self.process = subprocess.Popen(
            [*ISOLATED, "sh", "-c", f'{own} exec "$@"', "sh", sys.executable, "-u", "-c", _FIRST],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=variables,
            cwd=place.code,
        )
        _LIVING.append(self)

    def run(self, code: str) -> str:
        """Run a script in it, and return what it printed."""
        self.process.stdin.write(json.dumps(code) + "\n")
        self.process.stdin.flush()
        said = ""
        while (line := self.process.stdout.readline()) and not line.startswith("done "):
            said += line
        assert line == "done 0\n", said
        return said.strip()

    def end(self) -> None:
        """End every process in it, as the end of a container does."""
        _LIVING.remove(self)
        self._place.processes()  # so that each is seen until its locks are free
        self.process.kill()
        self.process.communicate()


_LIVING: list[Container] = []


@pytest.fixture
def places(place) -> Iterator[Place]:
    place.module("places_work")
    place.allow({"places_work": ["hold", "namespace"]}, BackgroundJobs__queues={"default": 1, "other": 1})
    yield place
    (place.code / "release").touch()
    while _LIVING:
        _LIVING[0].end()


def ran(place: Place, name: str = "first") -> int:
    path = place.code / f"ran.{name}"
    return len(path.read_text().splitlines()) if path.exists() else 0


def mine() -> str:
    return os.readlink("/proc/self/ns/pid")


def outcomes(job) -> list:
    return [each.outcome for each in job.attempts]


_TWO = """
first = bg.submit("places_work.hold", retry={"max_attempts": 2, "delay_seconds": 0})
bg.submit("places_work.hold", {"name": "second"}, unique="key", priority=-1)
while not first.attempts: time.sleep(0.02)
while not os.path.exists("ran.first"): time.sleep(0.02)
"""


@needs_namespaces
@pytest.mark.parametrize("boot", [None, "11111111-2222-3333-4444-555555555555"], ids=["the same boot", "another machine"])
def test_a_container_that_comes_back_under_another_name_finds_its_jobs_at_once(places, boot, capsys):
    old = Container(places, "old-name", boot)
    old.run(_TWO)
    old.end()
    until(lambda: not places.processes(), "the end of the container")
    began = time.monotonic()
    first, second = bg.job(1), bg.job(2)
    until(lambda: ran(places) == 2, "the second attempt of the job that ran")
    assert time.monotonic() - began < 20
    assert outcomes(first) == ["lost", None]
    assert "elsewhere" not in first.status + second.status
    with pytest.raises(bg.DuplicateJob, match="job 2"):
        bg.submit("places_work.hold", {"name": "second"}, unique="key")
    (places.code / "release").touch()
    assert (first.result(DEADLINE), second.result(DEADLINE)) == (mine(), mine())
    assert (ran(places), ran(places, "second")) == (2, 1)
    assert "jobs 1, 2 of old-name taken over" in capsys.readouterr().err


_LOOKS = {
    "a job's state": lambda: bg.job(1).state,
    "the list": lambda: overview.text(10, "submit"),
    "a panel's thread": lambda: _tracker().ensure_supervisor(),
}


def _tracker() -> _ChangeTracker:
    client = client_module.client()
    return _ChangeTracker(client.folder(), _opened, FullQueues(client, client.folder()))


def _opened() -> Database:
    return client_module.client().database(client_module.client().folder())


@needs_namespaces
@pytest.mark.parametrize("look", _LOOKS.values(), ids=_LOOKS)
def test_a_kernel_that_has_had_the_store_open_all_the_while_finds_the_jobs_of_a_place_that_has_gone_since(places, look):
    assert bg.jobs() == []
    old = Container(places, "old-name")
    old.run(_TWO)
    look()
    old.end()
    until(lambda: not places.processes(), "the end of the container")
    first = bg.job(1)
    until(
        lambda: (look(), rows(places, "SELECT outcome FROM attempts WHERE job_id = 1 AND number = 1"))[1] == [("lost",)],
        "its end",
        20,
    )
    (places.code / "release").touch()
    assert first.result(DEADLINE) == mine()


@needs_namespaces
def test_what_a_gone_place_left_in_the_folder_goes_with_it(places):
    old = Container(places, "old-name")
    old.run("bg.submit('places_work.namespace').wait(60)")
    old.end()
    until(lambda: not places.processes(), "the end of the container")
    assert [path for path in places.state.glob("place.*.lock") if where.here() not in path.name]
    bg.submit("places_work.namespace").wait(DEADLINE)
    assert {path.name for path in places.state.glob("*.lock") if not path.name.startswith("jobs.db.")} == {
        os.path.basename(path) for path in StateFolder("").of_place(where.here())[:3]
    }


@needs_namespaces
def test_a_host_that_is_renamed_while_its_jobs_run_keeps_them_and_its_supervisor(places):
    host = Container(places, "laptop")
    host.run(_TWO)
    [before] = of_role(places, "supervisor")
    host.run("import socket; socket.sethostname('renamed')")
    said = host.run("job = bg.submit('places_work.namespace', queue='other'); print(job.result(60) == bg.job(1).status)")
    assert said == "False"
    assert host.run("print(bg.job(1).status, os.uname().nodename)") == "running renamed"
    assert of_role(places, "supervisor") == [before]
    (places.code / "release").touch()
    assert host.run("print(bg.job(1).result(60) == os.readlink('/proc/self/ns/pid'), len(bg.job(1).attempts))") == "True 1"


@needs_namespaces
def test_jobs_of_two_living_containers_of_one_name_run_each_in_its_own(places):
    twins = [Container(places, "twin") for _ in range(2)]
    holds = "job = bg.submit('places_work.hold', {'name': os.readlink('/proc/self/ns/pid')[5:-1]}); "
    names = [twin.run(holds + "print(os.readlink('/proc/self/ns/pid'))") for twin in twins]
    assert len(set(names)) == 2
    for name in names:
        until(lambda name=name: ran(places, name[5:-1]) == 1, "each job's run, though the other one's place has no slot left")
    assert len(of_role(places, "supervisor")) == 2
    assert bg.job(1).status.startswith("running elsewhere (twin, last heard")
    (places.code / "release").touch()
    assert [bg.job(number).wait(DEADLINE).result() for number in (1, 2)] == names


@needs_namespaces
def test_a_job_elsewhere_is_cancelled_by_its_own_supervisor_where_that_is_alive(places):
    other = Container(places, "other")
    other.run(_TWO)
    bg.submit("places_work.namespace", queue="other").wait(DEADLINE)  # so that a supervisor here knows how long to stay
    job = bg.job(1)
    with pytest.raises(bg.InvalidRequest, match="are still running"):
        bg_adopt(job)
    job.cancel()
    assert outcomes(job) == ["cancelled"]
    (places.code / "release").touch()
    assert bg.job(2).wait(DEADLINE).result() != mine()


def bg_adopt(job) -> None:
    from ipybgjobs.client import adoption

    adoption.adopt(client_module.client(), [job], time.time())


@needs_namespaces
def test_an_attempt_is_not_lost_while_a_process_in_another_namespace_holds_its_lock(places):
    """Its supervisor, its fork server and its client are gone; the container lives, and so does the worker."""
    other = Container(places, "other")
    other.run(_TWO)
    kill_helpers(places)
    waiting = bg.submit("places_work.namespace", queue="other")
    assert waiting.result(DEADLINE) == mine()
    first, second = bg.job(1), bg.job(2)
    until(lambda: ran(places, "second") == 1, "the run of the job that waited there")
    assert first.status.startswith("running elsewhere (other")
    assert outcomes(first) == [None]
    with pytest.raises(bg.InvalidRequest, match="is still running on other"):
        bg_adopt(first)
    (places.code / "release").touch()
    assert first.result(DEADLINE) != mine()
    assert (outcomes(first), ran(places)) == (["succeeded"], 1)
    assert second.result(DEADLINE) == mine()


# -- where nothing proves it --------------------------------------------------------------------------------------------


@pytest.fixture
def unlocked(places, monkeypatch) -> Iterator[Path]:
    """The state folder through a FUSE file system: locks on it prove nothing about another machine."""
    mounted = places.root / "mounted"
    StateFolder(str(places.state)).create()
    mounted.mkdir()
    command = ["bindfs", places.state, mounted]
    if shutil.which("bindfs") is None or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("no FUSE file system can be mounted here")
    monkeypatch.setenv("IPYBGJOBS_STATE_DIR", str(mounted))
    client_module.use(client_module.Client())
    try:
        yield mounted
    finally:
        (places.code / "release").touch()
        until(lambda: _but_for_the_mount(places), "the end of who uses the mount")
        client_module.client().close()
        client_module.use(None)
        gc.collect()  # the client holds a lock there for as long as it lives
        subprocess.run(["fusermount", "-u", "-z", mounted], check=True)


def _but_for_the_mount(place: Place) -> bool:
    return all("bindfs" in line for line in place.processes().values())


@needs_namespaces
def test_without_proof_a_job_stays_elsewhere_until_a_person_adopts_it(unlocked, places, capsys):
    old = Container(places, "far-away", "11111111-2222-3333-4444-555555555555", unlocked)
    old.run(_TWO)
    old.end()
    until(lambda: _but_for_the_mount(places), "the end of the container")
    first, second = bg.job(1), bg.job(2)
    assert bg.submit("places_work.namespace", queue="other").result(DEADLINE) == mine()
    assert first.status.startswith("running elsewhere (far-away, last heard")
    assert second.status.startswith("queued elsewhere (far-away")
    with pytest.raises(bg.InvalidRequest, match="jupyter bgjobs adopt 2"):
        second.cancel()
    with pytest.raises(bg.InvalidRequest, match="jupyter bgjobs adopt 2"):
        bg.submit("places_work.hold", {"name": "second"}, unique="key", on_duplicate="replace")
    assert main(["doctor"]) == 1
    assert re.search("Nothing appears to be running on far-away.*adopt --all", capsys.readouterr().out)
    assert main(["adopt", "2", "--json"]) == 0
    [said] = json.loads(capsys.readouterr().out)
    assert said["id"] == 2
    until(lambda: ran(places, "second") == 1, "the adopted job's run")
    assert outcomes(first) == [None]
    assert main(["adopt", "--all"]) == 0
    until(lambda: outcomes(first) == ["lost"], "the first attempt's end")
    [lost] = first.attempts
    assert re.match(r"adopted by \S+ on \S+, who confirmed that nothing of it is still running on far-away", lost.error)
    (places.code / "release").touch()
    assert (first.result(DEADLINE), second.result(DEADLINE)) == (mine(), mine())
    assert main(["adopt", "1"]) == 1
    assert "only an unfinished job that is elsewhere can be adopted" in capsys.readouterr().err
    assert main(["adopt", "--all"]) == 0
    assert "nothing to adopt" in capsys.readouterr().out


def test_the_end_of_a_boot_is_proof_only_on_a_machine_that_is_known_to_be_the_same():
    now = where.Place("b-1", "laptop", "b", "pid:[1]", "id/laptop", 7)
    over = now._replace(key="a-1", boot="a")
    assert where.is_over(over, now)
    assert not where.is_over(now, now)
    assert not where.is_over(over._replace(machine="id/renamed"), now)
    assert not where.is_over(over._replace(machine=None), now._replace(machine=None))


# -- older versions -----------------------------------------------------------------------------------------------------

#: As the version before wrote it.
_OLD_INSERT = """INSERT INTO jobs (uid, target, name, init, params, pickled, positional, secrets, hidden, queue, priority, state,
    not_before, submitted_at, allowed_attempts, rules, timeout, host, pid_namespace, timed, deadline, deadline_timed, unique_key,
    fingerprint, source, retried_from, hooks, context, environment, group_id, blockers, ready)
    SELECT 'new', target, name, init, params, pickled, positional, secrets, hidden, queue, priority, 'queued',
    not_before, submitted_at, allowed_attempts, rules, timeout, ?, ?, timed, deadline, deadline_timed, unique_key,
    fingerprint, source, retried_from, hooks, context, environment, group_id, blockers, 1 FROM jobs WHERE id = 1"""

_OLD_REQUEST = """INSERT INTO requests (job_id, host, verb, options, requested_at)
    SELECT id, host, 'cancel', '{"grace": null}', 0 FROM jobs WHERE id = 1 AND state IN ('queued', 'running')"""

_OLD_ATTEMPT = """INSERT OR REPLACE INTO attempts
    (job_id, number, folder, started_at, launched_by, launch_reason, slot, host, pid_namespace)
    VALUES (1, 1, 'jobs/1/1', 0, 'fork', NULL, 0, 'h', 'n')"""

#: Hosts and PID namespaces of the jobs of the old store; the last one ran.
_OWNERS = [(identity.host(), mine()), (identity.host(), "pid:[1]"), ("another", mine()), ("another", "pid:[1]")]


@pytest.fixture
def old(places) -> StateFolder:
    """A store as schema 3 left it, with jobs of several owners."""
    places.allow({"work": ["echo"]})
    folder = StateFolder(str(places.state))
    folder.create()
    connection = sqlite3.connect(folder.database, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    for number, name in enumerate(("001_initial", "002_control", "003_changes"), 1):
        script = resources.files("ipybgjobs.store").joinpath(f"sql/{name}.sql").read_text()
        connection.executescript(f"BEGIN;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")
    context = snapshot.current_context([tuple(each) for each in sources.find_files()], dict(os.environ), 0o022).to_text()
    insert(connection, "contexts", id=1, body=context)
    insert(connection, "environments", id=1, digest="d", body=json.dumps(dict(os.environ)))
    for number, (host, namespace) in enumerate(_OWNERS, 1):
        state = {"state": "running" if number == 4 else "queued", "ready": 1, "attempt": int(number == 4), "not_before": 1000.0}
        own = {"uid": f"{number:032}", "host": host, "pid_namespace": namespace, "context": 1, "environment": 1}
        insert(
            connection,
            "jobs",
            **{**_ROW, "allowed_attempts": 2, "rules": '{"max_attempts": 2, "delay_seconds": [0.1]}'},
            **state,
            **own,
        )
    relative = f"jobs/{4:032}/1"
    live = {"job_id": 4, "number": 1, "folder": relative, "started_at": 1000.0, "launched_by": "fork", "slot": 0}
    insert(connection, "attempts", **live, host="another", pid_namespace="pid:[1]")
    insert(connection, "supervisors", host="another", pid_namespace="pid:[1]", pid=1, version="0", started_at=1.0, heard_at=1.0)
    os.makedirs(folder.attempt(relative))
    process = {"pid": 1, "start_time": 1, "boot": "another"}
    started = {"process": process, "launcher": process, "host": "another", "pid_namespace": "pid:[1]", "started_at": 1000.0}
    Path(folder.attempt(relative), "started.json").write_text(json.dumps(started))
    connection.close()
    return folder


def test_what_an_older_version_left_is_gone_on_with_whatever_its_host_was_called(old, places):
    jobs = [bg.job(number) for number in range(1, 5)]
    assert [job.result(DEADLINE) for job in jobs] == [7] * 4
    assert outcomes(jobs[3]) == ["lost", "succeeded"]
    assert f"user_version {SCHEMA}" == f"user_version {_version(old)}"


def _version(folder: StateFolder) -> int:
    connection = sqlite3.connect(folder.database)
    try:
        return connection.execute("PRAGMA user_version").fetchone()[0]
    finally:
        connection.close()


def test_odd_requests_of_an_older_version_keep_no_store_from_being_opened(old, places):
    theirs = sqlite3.connect(old.database, isolation_level=None)
    for verb, options in (("retry", "[[["), ("retry", "{}"), ("cancel", "[[["), ("dance", "{}")):
        insert(theirs, "requests", job_id=1, host="another", verb=verb, options=options, requested_at=1000.0)
    theirs.close()
    assert bg.job(1).result(DEADLINE) == 7
    until(lambda: not rows(places, "SELECT 1 FROM requests"), "the end of the requests")


def test_what_can_not_be_taken_over_keeps_nothing_else_from_going_on(old, places):
    """A full disk, say; here something in the store refuses the change."""
    with contextlib.closing(Database(old.database, durable=True)) as database:
        database.connection.execute("CREATE TRIGGER held BEFORE UPDATE OF place ON jobs BEGIN SELECT RAISE(ABORT, 'held'); END")
    assert bg.submit("work.echo", {"value": 1}).result(DEADLINE) == 1
    assert "elsewhere" in bg.job(2).status
    rows(places, "DROP TRIGGER held")
    client_module.use(None)
    assert bg.job(2).result(DEADLINE) == 7


def test_a_damaged_store_of_an_older_version_is_saved_with_what_its_jobs_belong_to(old, places, capsys):
    theirs = sqlite3.connect(old.database, isolation_level=None)
    whose = json.dumps({"pid_namespace": "pid:[1]", "context": 1, "environment": 1})
    insert(theirs, "requests", job_id=1, host="another", verb="retry", options=whose, requested_at=1000.0)
    insert(theirs, "requests", job_id=2, host="h", verb="cancel", options="{}", requested_at=1000.0)
    theirs.close()
    salvaged = salvage.read(old.database)
    os.rename(old.database, f"{old.path}/older.db")
    with contextlib.closing(Database(old.database, durable=True)) as database, database.transaction() as connection:
        restoring.write(connection, salvaged)
        found = [tuple(row) for row in connection.execute("SELECT id, place, host FROM jobs")]
        assert found == [(number, f"host:{host}/{space}", host) for number, (host, space) in enumerate(_OWNERS, 1)]
        asked = [row[0] for row in connection.execute("SELECT place FROM requests ORDER BY id")]
        assert asked == ["host:another/pid:[1]", f"host:{identity.host()}/pid:[1]"]
        assert [tuple(row) for row in connection.execute("SELECT place FROM attempts")] == [("host:another/pid:[1]",)]
    capsys.readouterr()
    client_module.use(None)
    assert bg.job(1).result(DEADLINE) == 7
    assert bg.job(2).wait(DEADLINE).state == "cancelled"


def test_what_a_process_of_an_older_version_writes_is_refused_with_the_reason_and_what_it_reads_is_there(old):
    theirs = sqlite3.connect(old.database, isolation_level=None)
    theirs.row_factory = sqlite3.Row
    assert theirs.execute("SELECT host FROM jobs WHERE id = 1").fetchone()[0] == identity.host()
    bg.jobs()  # brings the store up to date
    [row] = theirs.execute("SELECT * FROM jobs WHERE id = 1").fetchall()
    assert (row["host"], row["pid_namespace"]) == (identity.host(), None)
    before = theirs.execute("SELECT count(*) FROM jobs").fetchone()[0]
    for sql, values in ((_OLD_INSERT, ("h", "n")), (_OLD_ATTEMPT, ())):
        with pytest.raises(sqlite3.IntegrityError, match="newer version of ipybgjobs"):
            theirs.execute(sql, values)
    theirs.execute("UPDATE jobs SET state = 'queued', ready = 0, not_before = 4e9 WHERE id = 1")
    with pytest.raises(sqlite3.IntegrityError, match="restart this kernel or script"):
        theirs.execute(_OLD_REQUEST)
    with pytest.raises(sqlite3.OperationalError):
        theirs.execute("INSERT OR REPLACE INTO supervisors VALUES ('h', 'n', 1, '0', 0, 0, NULL)")
    assert theirs.execute("SELECT count(*) FROM jobs").fetchone()[0] == before
    theirs.close()
    bg.job(1).cancel()


@needs_namespaces
def test_an_older_supervisor_of_the_same_host_name_keeps_the_store_as_it_is(old, places):
    """Its lock bears the host's name."""
    held = lock.FileLock.acquire(old.supervisor_lock(identity.host()), wait=False)
    from ipybgjobs.state import wake

    wake.start(old)
    until(lambda: "older version" in (places.state / "supervisor.err").read_text(), "a supervisor's refusal")
    assert _version(old) == 3
    held.close()
    assert bg.job(1).result(DEADLINE) == 7


# -- occupancy -----------------------------------------------------------------------------------------------------------


def test_whoever_has_the_store_open_is_there_and_whoever_has_ended_is_not(places):
    folder = StateFolder(str(places.state))
    code = "import ipybgjobs as bg, sys; bg.jobs(); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as script:
        assert script.stdout.readline() == b"open\n"
        assert occupancy.is_alive(folder, where.here())
        with occupancy.locked_if_gone(folder, where.current(folder.path)) as gone:
            assert not gone
        script.send_signal(signal.SIGKILL)
        script.wait()
    with occupancy.locked_if_gone(folder, where.current(folder.path)) as gone:
        assert gone


def test_a_lock_whose_file_was_removed_while_it_was_waited_for_is_taken_anew(tmp_path):
    path = str(tmp_path / "lock")
    first = lock.FileLock.acquire(path, wait=False)
    code = "import sys; from ipybgjobs.system.lock import FileLock\n"
    code += "held = FileLock.acquire(sys.argv[1], wait=True); print(1, flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as waiter:
        until(lambda: _has_open(waiter.pid, path), "a waiter")
        os.unlink(path)
        first.close()
        assert waiter.stdout.readline() == b"1\n"
        assert lock.is_held(path)
        waiter.stdin.close()


def _has_open(pid: int, path: str) -> bool:
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed since
            if os.readlink(entry) == path:
                return True
    return False
