"""A process forks while it has the store open: both go on, nothing is lost, and nothing waits for the other."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import threading
import time
import traceback

import pytest

import ipybgjobs as bg
from ipybgjobs.client import client
from ipybgjobs.store import connection
from ipybgjobs.store.database import Database
from ipybgjobs.system import lock
from ipybgjobs.system.lock import FileLock
from support.place import until

#: Submits, becomes a daemon, whose parent ends, and submits on while supervisors come and go.
DAEMON = """
import os, sys, time
import ipybgjobs as bg

bg.submit("work.echo", {"value": 0}).wait()
if os.fork():
    os._exit(0)
accepted = []
for pause in (0.0, 1.5, 0.0, 0.5, 1.5, 0.0, 1.5):
    time.sleep(pause)
    accepted.append(bg.submit("work.echo", {"value": len(accepted)}).uid)
with open(sys.argv[1] + ".new", "w") as file:
    file.write("\\n".join(accepted))
os.rename(sys.argv[1] + ".new", sys.argv[1])
os._exit(0)
"""


def _in_fork(work) -> int:
    """Run something in a fork; return its process id. It ends with status 0 if nothing is raised."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        status = work() or 0
    except BaseException:
        traceback.print_exc()
    os._exit(status)


def _status(pid: int) -> int:
    """The exit status of a fork, which must end within a minute."""
    ended = until(lambda: (found := os.waitpid(pid, os.WNOHANG))[0] and found, f"the end of fork {pid}")
    return os.waitstatus_to_exitcode(ended[1])


def test_a_process_that_becomes_a_daemon_after_a_submit_loses_no_job_and_damages_nothing(place, tmp_path):
    accepted = tmp_path / "accepted"
    subprocess.run(
        [sys.executable, "-c", DAEMON, str(accepted)],
        check=True,
        timeout=60,
        env=place.environment | {"PYTHONPATH": str(place.code)},
    )
    until(accepted.exists, "what the daemon has submitted")
    uids = accepted.read_text().split()
    assert [bg.job(uid).wait(timeout=60).state for uid in uids] == ["succeeded"] * 7
    with contextlib.closing(sqlite3.connect(place.state / "jobs.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_no_connection_is_open_in_a_fork_and_its_parent_goes_on_with_a_new_one(place):
    bg.submit("work.echo", {"value": 1})
    database = client.client().database(client.client().folder())
    before = database.changed()

    def child() -> None:
        names = [f"/proc/self/fd/{each}" for each in os.listdir("/proc/self/fd")]
        links = [os.readlink(name) for name in names if os.path.lexists(name)]
        assert not [link for link in links if link.startswith(f"{place.state}/jobs.db")]

    assert _status(_in_fork(child)) == 0
    assert database.changed() != before, "whoever compares must look again: a new connection has seen no change"
    assert bg.submit("work.echo", {"value": 2}).result(timeout=60) == 2


def test_forks_made_while_another_thread_submits_submit_too(place):
    bg.submit("work.echo", {"value": 0})
    pids: list[int] = []
    statuses: list[int] = []

    def fork() -> None:
        while not over.is_set() and len(pids) < 12:
            pids.append(_in_fork(lambda: bg.submit("work.echo", {"value": 1}) and None))
            statuses.append(_status(pids[-1]))

    over = threading.Event()
    forker = threading.Thread(target=fork)
    forker.start()
    mine = 0
    while forker.is_alive() and mine < 40:
        bg.submit("work.echo", {"value": {2}})
        mine += 1
    over.set()
    forker.join(60)
    assert not forker.is_alive()
    assert statuses == [0] * len(pids)
    jobs = bg.jobs(limit=100_000)
    assert len(jobs) == 1 + mine + len(pids)
    assert {job.wait(timeout=60).state for job in jobs} == {"succeeded"}


def _slow_opening(monkeypatch, until_released, began):
    """Have each connection opened by another thread than this one take until something is released."""
    connect, here = sqlite3.connect, threading.get_ident()

    def slow(*values, **options):
        if threading.get_ident() != here:
            began.set()
            until_released.wait(60)
        return connect(*values, **options)

    monkeypatch.setattr(sqlite3, "connect", slow)


def test_a_fork_waits_until_a_connection_of_another_thread_is_open(place, monkeypatch):
    bg.submit("work.echo", {"value": 0}).wait(timeout=60)
    monkeypatch.setattr(connection, "LONGEST_WAIT", 60.0)
    began, released, opened = threading.Event(), threading.Event(), []
    _slow_opening(monkeypatch, released, began)
    opener = threading.Thread(target=lambda: opened.append(len(bg.jobs())))
    opener.start()
    began.wait(60)
    threading.Timer(0.3, released.set).start()
    pid = _in_fork(lambda: not released.is_set() or (bg.submit("work.echo", {"value": 1}) and None))
    assert _status(pid) == 0
    opener.join(60)
    assert opened
    assert len(bg.jobs()) == 2


def test_a_fork_made_while_the_opening_of_a_connection_hangs_is_refused_the_store(place, monkeypatch):
    bg.submit("work.echo", {"value": 0}).wait(timeout=60)
    client.client().close()  # only the one that is being opened is in the way
    monkeypatch.setattr(connection, "LONGEST_WAIT", 0.1)
    began, released = threading.Event(), threading.Event()
    _slow_opening(monkeypatch, released, began)
    opener = threading.Thread(target=bg.jobs)
    opener.start()
    began.wait(60)

    def child() -> int:
        with pytest.raises(bg.StoreError, match="forked while its parent was using"):
            bg.submit("work.echo", {"value": 1})
        return 0

    pid = _in_fork(child)
    assert opener.is_alive(), "the fork waited for it"
    released.set()
    assert _status(pid) == 0
    opener.join(60)
    assert bg.submit("work.echo", {"value": 2}).result(timeout=60) == 2


def test_a_fork_made_within_a_transaction_of_another_thread_is_refused_the_store_and_waits_for_nobody(place, monkeypatch):
    monkeypatch.setattr(connection, "LONGEST_WAIT", 0.1)
    bg.submit("work.echo", {"value": 0}).wait(timeout=60)
    database = client.client().database(client.client().folder())
    within, over = threading.Event(), threading.Event()

    def write() -> None:
        with database.transaction():
            within.set()
            over.wait(60)

    def child() -> int:
        with pytest.raises(bg.StoreError, match="forked while its parent was using"):
            bg.submit("work.echo", {"value": 1})
        return 0

    writer = threading.Thread(target=write)
    writer.start()
    within.wait(60)
    began = time.monotonic()
    pid = _in_fork(child)
    status = _status(pid)
    took = time.monotonic() - began
    over.set()
    writer.join()
    assert (status, took < 20.0) == (0, True)
    assert bg.submit("work.echo", {"value": 2}).result(timeout=60) == 2
    assert _status(_in_fork(lambda: bg.submit("work.echo", {"value": 3}).result(timeout=60) != 3)) == 0, "a later fork may"


def test_a_fork_holds_no_lock_that_its_parent_held_alone(tmp_path):
    path = str(tmp_path / "lock")
    held = FileLock.acquire(path, wait=False)
    reads, writes = os.pipe()
    pid = _in_fork(lambda: os.close(writes) or os.read(reads, 1) == b"")
    try:
        assert lock.is_held(path), "the parent holds it"
        held.close()
        until(lambda: not lock.is_held(path), "the fork's letting go", 20.0)
    finally:
        os.close(writes)
        os.close(reads)
        assert _status(pid) == 1, "the fork has lived until here"


def test_a_fork_made_while_another_thread_opens_the_store_opens_it_too(place):
    opening = client.client()._opening.setdefault(os.getpid(), threading.Lock())
    with opening:
        pid = _in_fork(lambda: bg.submit("work.echo", {"value": 1}).result(timeout=60) != 1)
        assert _status(pid) == 0


_COLLECTING = """
import gc
from ipybgjobs.store import connection

class Beside:
    pass

gc.set_threshold(1)
for _ in range(20_000):
    here, beside = connection.ThreadConnection("/a/store"), Beside()
    here.beside, beside.here = beside, here  # only a collection lets go of it, and that comes anywhere
    del here, beside
    connection.check_inherited("/another/store")
"""


def test_what_is_let_go_of_while_a_store_is_opened_is_in_nobodys_way():
    subprocess.run([sys.executable, "-c", _COLLECTING], check=True)


#: Starts each process by a fork that runs Python's hooks, as gevent does and a `preexec_fn`.
FORKS = """
import subprocess

class Forking(subprocess.Popen):
    def __init__(self, *words, **options):
        super().__init__(*words, preexec_fn=lambda: None, **options)

subprocess.Popen = Forking
import ipybgjobs as bg

print(bg.submit("work.echo", {"value": 7}).result(60))
"""


def test_a_client_whose_processes_are_started_by_a_fork_of_its_own_starts_a_supervisor(place):
    done = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, timeout=90, check=False, cwd=place.code)
    assert done.stdout == "7\n", done.stderr


def test_a_fork_that_closes_everything_at_once_leaves_the_connections_of_its_parent_open(tmp_path):
    """Else a supervisor that asks a helper would give up its locks, and whoever closes the store would remove its log."""
    database = Database(str(tmp_path / "jobs.db"), durable=False)
    before = database.connection
    with lock.leaving_open():
        pid = os.fork()
        if pid == 0:
            os._exit(0)
    os.waitpid(pid, 0)
    assert database.connection is before
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    assert database.connection is not before
    database.close()
