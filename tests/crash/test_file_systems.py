"""State folders on file systems that share no memory, have no locks, or no links: real ones, in user space."""

import contextlib
import importlib.util
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import ipybgjobs as bg
from ipybgjobs.client import client as client_module
from ipybgjobs.client.client import Client
from ipybgjobs.commands.cli import main
from ipybgjobs.state import attempt, reports
from ipybgjobs.state.folder import StateFolder
from ipybgjobs.supervisor import loop
from ipybgjobs.system import filesystem, private_file
from support.place import ALLOWED, DEADLINE, TESTS, running, until

_SERVER = TESTS / "support" / "passthrough.py"

_needs_fuse = pytest.mark.skipif(
    not os.access("/dev/fuse", os.R_OK | os.W_OK) or not (os.environ.get("CI") or importlib.util.find_spec("mfusepy")),
    reason="needs mfusepy and /dev/fuse",
)


@pytest.fixture
def mount(place, monkeypatch) -> Iterator[Callable[..., Path]]:
    """Show the state folder through a file system of a kind, which may lack something."""
    mounted = place.root / "mounted here"
    mounted.mkdir()
    StateFolder(str(place.state)).create()
    servers: list[subprocess.Popen] = []

    def serve(kind: str, *lacks: str) -> Path:
        command = [sys.executable, str(_SERVER), str(place.state), str(mounted), kind, *lacks]
        server = subprocess.Popen(command)
        until(lambda: filesystem.kind(str(mounted)) == f"fuse.{kind}" or server.poll() is not None, "the mount")
        if server.poll() is not None:
            assert importlib.util.find_spec("mfusepy")
            pytest.skip("nothing can be mounted here")
        servers.append(server)
        use(mounted)
        return mounted

    def use(folder: Path) -> None:
        client_module.client().close()
        monkeypatch.setenv("IPYBGJOBS_STATE_DIR", str(folder))
        client_module.use(Client())

    serve.use = use
    yield serve
    try:
        nobody_has_it_open(place)
    finally:
        use(place.state)
        for server in servers:
            subprocess.run(["fusermount3", "-u", "-z", str(mounted)], check=True)
            server.kill()  # an exception that a test has caught may keep a file open, and so the mount
            server.wait(DEADLINE)


def journal(folder: Path) -> str:
    with contextlib.closing(sqlite3.connect(folder / "jobs.db")) as connection:
        return connection.execute("PRAGMA journal_mode").fetchone()[0]


def nobody_has_it_open(place) -> None:
    client_module.client().close()
    client_module.use(Client())
    until(lambda: all(_SERVER.name in line for line in place.processes().values()), "the supervisor's end", 20)


# -- the journal ------------------------------------------------------------------------------------------------------


@_needs_fuse
@pytest.mark.parametrize("kind", ["glusterfs", "somebodys"])
def test_where_memory_may_not_be_shared_the_store_has_no_write_ahead_log_and_jobs_run(place, mount, kind, capsys):
    mounted = mount(kind)
    assert bg.submit("work.echo", {"value": {1, 2}}).result(DEADLINE) == {1, 2}
    failed = bg.submit("work.once_failing", {"marker": str(place.root / "marker")}, retry=2)
    assert failed.result(DEADLINE) == "second run"
    assert journal(mounted) == "delete"
    assert not list(place.state.glob("jobs.db-*"))
    main(["doctor"])
    said = capsys.readouterr().out
    assert f"fuse.{kind} ({'a network file system' if kind == 'glusterfs' else 'not known to be local to this machine'}" in said
    assert "a rollback journal" in said
    assert "PROBLEM" not in said


@_needs_fuse
def test_a_store_that_has_moved_gets_the_journal_that_is_right_where_it_is_by_now_and_keeps_its_jobs(place, mount):
    place.allow(ALLOWED, BackgroundJobs__idle_seconds=30.0)  # so that it still runs when it is killed
    job = bg.submit("work.echo", {"value": 7})
    assert job.result(DEADLINE) == 7
    pid = place.supervisor_pid()
    place.allow(ALLOWED)
    os.kill(pid, signal.SIGKILL)
    for suffix in ("-wal", "-shm"):  # as a copy that was made while it ran: what stands in the log alone is part of the store
        shutil.copy(f"{place.state}/jobs.db{suffix}", f"{place.root}/jobs.db{suffix}")
    shutil.copy(f"{place.state}/jobs.db", f"{place.root}/jobs.db")
    nobody_has_it_open(place)
    for suffix in ("", "-wal", "-shm"):
        shutil.move(f"{place.root}/jobs.db{suffix}", f"{place.state}/jobs.db{suffix}")
    mounted = mount("glusterfs")
    assert bg.job(1).result(DEADLINE) == 7
    assert journal(mounted) == "delete"
    assert not list(place.state.glob("jobs.db-*"))
    assert bg.submit("work.echo", {"value": 8}).result(DEADLINE) == 8
    nobody_has_it_open(place)
    mount.use(place.state)
    assert [each.id for each in bg.jobs()] == [2, 1]
    assert journal(place.state) == "wal"


@_needs_fuse
def test_while_another_process_keeps_the_log_of_a_moved_store_nothing_is_submitted_and_all_else_works(place, mount, capsys):
    assert bg.submit("work.echo", {"value": 7}).result(DEADLINE) == 7
    nobody_has_it_open(place)
    mounted = mount("glusterfs")
    code = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT * FROM jobs'); print(1, flush=True); input()"
    other = subprocess.Popen([sys.executable, "-c", code, mounted / "jobs.db"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with other:
        assert other.stdout.readline() == b"1\n"
        for attempted in (lambda: bg.submit("work.echo", {"value": 8}), lambda: bg.submit_many("work.echo", [{"value": 9}])):
            with pytest.raises(
                bg.StoreError, match=r"is now on fuse.glusterfs \(a network file system\), but uses a write-ahead"
            ):
                attempted()
        assert "but uses a write-ahead log" in str(client_module.client().explain("work.echo", {"value": 8}).refusal)
        assert bg.job(1).result() == 7
        assert main(["doctor"]) == 1
        assert "PROBLEM         The store" in capsys.readouterr().out
        assert not bg.job(1).remove()
        other.stdin.close()
    assert bg.jobs() == []
    assert bg.submit("work.echo", {"value": 8}).result(DEADLINE) == 8
    assert journal(mounted) == "delete"


# -- locks ------------------------------------------------------------------------------------------------------------


@_needs_fuse
@pytest.mark.parametrize("error", ["ENOSYS", "ENOLCK", "EOPNOTSUPP"])
@pytest.mark.parametrize("which", ["--locks", "--record_locks"])
def test_a_file_system_whose_locks_do_not_work_is_refused_in_one_sentence(place, mount, which, error, capsys):
    mounted = mount("lockless", which, error)
    with pytest.raises(bg.StoreError, match=r"needs file locks, which .* its file system, fuse.lockless.*IPYBGJOBS_STATE_DIR"):
        bg.submit("work.echo", {"value": 1})
    assert not (mounted / "jobs.db").exists()
    assert main(["list"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert place.supervisor_pid() is None


# -- links ------------------------------------------------------------------------------------------------------------


@_needs_fuse
@pytest.mark.parametrize("error", ["EPERM", "ENOSYS"])
def test_without_hard_links_attempts_start_once_and_are_found_lost(place, mount, error):
    mounted = mount("linkless", "--links", error)
    assert bg.submit("work.echo", {"value": 7}).result(DEADLINE) == 7
    job = running(bg.submit("work.Trainer.sleep", {"seconds": 300.0}))
    os.kill(place.supervisor_pid(), signal.SIGKILL)
    assert bg.submit("work.echo", {"value": 8}).result(DEADLINE) == 8
    assert job.state == "running"
    os.kill(reports.start_marker(f"{mounted}/jobs/{job.uid}/1").process[0], signal.SIGKILL)
    until(lambda: job.state == "failed", "the lost job's end")
    assert [each.outcome for each in job.attempts] == ["lost"]
    folder = mounted / "claimed"
    folder.mkdir()
    with ThreadPoolExecutor(8) as many:
        firsts = list(many.map(lambda number: attempt.claim_start(str(folder), {"by": number}), range(8)))
    assert sum(firsts) == 1
    assert private_file.read_json(str(folder), attempt.STARTED) == {"by": firsts.index(True)}


# -- sockets ----------------------------------------------------------------------------------------------------------


@_needs_fuse
@pytest.mark.parametrize("error", ["EPERM", "ENOSYS"])
def test_without_sockets_a_supervisor_hears_of_a_new_job_at_once(place, mount, error):
    place.allow(ALLOWED, BackgroundJobs__idle_seconds=30.0)
    mounted = mount("socketless", "--sockets", error)
    assert bg.submit("work.echo", {"value": 7}).result(DEADLINE) == 7
    pid = place.supervisor_pid()
    assert not list(mounted.glob("*.sock"))
    took = 0.0
    for value in range(3):
        job = bg.submit("work.echo", {"value": value})
        assert job.result(DEADLINE) == value
        took += job.record().ended_at - job.record().submitted_at
    assert took < loop.FALLBACK
    assert place.supervisor_pid() == pid
    assert len([line for line in place.processes().values() if " supervisor " in line]) == 1
    place.allow(ALLOWED, BackgroundJobs__idle_seconds=0.1)
    assert bg.submit("work.echo", {"value": 8}).result(DEADLINE) == 8
