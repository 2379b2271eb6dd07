"""A store of an older version: brought up to date once, with all that is in it, by somebody who holds the supervisor's lock."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from importlib import resources

import pytest

import ipybgjobs as bg
from ipybgjobs.client import client as client_module
from ipybgjobs.configuration import sources
from ipybgjobs.state.folder import StateFolder
from ipybgjobs.store import database as database_module
from ipybgjobs.store.database import SCHEMA, Database
from ipybgjobs.system import identity
from ipybgjobs.system.lock import FileLock
from ipybgjobs.targets import context as snapshot
from support.old_rows import _ROW, insert
from support.place import DEADLINE, until


@pytest.fixture
def old(place):
    """A store as the first version left it: a job of each state; those that wait do so for this host."""
    folder = StateFolder(str(place.state))
    folder.create()
    connection = sqlite3.connect(folder.database, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    script = resources.files("ipybgjobs.store").joinpath("sql/001_initial.sql").read_text()
    connection.executescript(f"BEGIN;\n{script}\nPRAGMA user_version = 1;\nCOMMIT;")
    context = snapshot.current_context([tuple(each) for each in sources.find_files()], dict(os.environ), 0o022).to_text()
    insert(connection, "contexts", id=1, body=context)
    insert(connection, "environments", id=1, digest="d", body=json.dumps(dict(os.environ)))
    for number, state in enumerate(("queued", "succeeded", "failed", "cancelled", "queued"), 1):
        ended = None if state == "queued" else 2000.0
        waits = {"not_before": 4e9 if number == 5 else 1000.0, "environment": 1 if state == "queued" else None}
        own = {"uid": f"{number:032}", "state": state, "ended_at": ended, "host": identity.host()}
        insert(connection, "jobs", **_ROW, **own, **waits, pid_namespace=identity.pid_namespace(), context=1)
    insert(connection, "supervisors", host="gone", pid_namespace="x", pid=1, version="0", started_at=1.0, heard_at=1.0)
    connection.close()
    return folder


def version(folder):
    connection = sqlite3.connect(folder.database)
    try:
        return connection.execute("PRAGMA user_version").fetchone()[0]
    finally:
        connection.close()


def test_everything_that_an_old_store_holds_is_there_after_it_and_what_waited_runs(old):
    states = [job.state for job in bg.jobs()]
    assert states[:4] == ["queued", "cancelled", "failed", "succeeded"]
    assert version(old) == SCHEMA
    assert bg.job(1).result(DEADLINE) == 7
    assert bg.job(3).retry().result(DEADLINE) == 7
    assert bg.job(5).status.startswith("queued, starts at")
    bg.job(5).cancel()
    assert bg.clean(dry_run=False).jobs == 5


def test_a_supervisor_that_is_started_first_brings_the_store_up_to_date_itself(old, place):
    from ipybgjobs.state import wake

    wake.start(old)
    until(lambda: version(old) == SCHEMA, "the migration")
    assert bg.job(1).result(DEADLINE) == 7
    bg.job(5).cancel()


@pytest.mark.crash
def test_while_an_older_supervisor_works_the_store_is_left_alone_and_the_refusal_says_so(old):
    held = FileLock.acquire(old.supervisor_lock(identity.host()), wait=False)
    try:
        with pytest.raises(bg.StoreError, match=r"older version.*2 unfinished jobs.*another state folder. Nothing was changed"):
            bg.jobs()
        assert version(old) == 1
    finally:
        held.close()
    connection = sqlite3.connect(old.database, isolation_level=None)
    connection.execute("UPDATE jobs SET state = 'cancelled' WHERE state = 'queued'")
    connection.close()
    assert len(bg.jobs()) == 5


def test_an_older_supervisor_without_work_is_waited_for(old, monkeypatch):
    connection = sqlite3.connect(old.database, isolation_level=None)
    connection.execute("UPDATE jobs SET state = 'cancelled' WHERE state = 'queued'")
    connection.close()
    code = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, 2); print('held', flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code, old.supervisor_lock(identity.host())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout.readline() == "held\n"
        real, looks = time.sleep, []

        def sleep(seconds):
            looks.append(seconds)
            if len(looks) == 2:
                holder.stdin.close()
                holder.wait()
            real(0.001)

        monkeypatch.setattr(database_module.time, "sleep", sleep)
        assert len(bg.jobs()) == 5
    assert len(looks) >= 2


@pytest.mark.crash
def test_another_host_that_was_heard_of_lately_keeps_the_store_as_it_is(old):
    connection = sqlite3.connect(old.database, isolation_level=None)
    connection.execute("UPDATE supervisors SET heard_at = ?", (time.time(),))
    connection.close()
    with pytest.raises(bg.StoreError, match="older version"):
        bg.jobs()
    assert version(old) == 1


def test_processes_that_open_an_old_store_at_once_bring_it_up_to_date_once(old, place):
    code = "import ipybgjobs as bg; print(len(bg.jobs()))"
    many = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert [each.communicate(timeout=DEADLINE)[0] for each in many] == ["5\n"] * 4
    bg.job(5).cancel()


def test_a_migration_that_is_cut_short_leaves_the_old_store(old, monkeypatch):
    script = database_module._migration(2) + "\nSELECT nonsense;"
    monkeypatch.setattr(database_module, "_migration", lambda _: script)
    with pytest.raises(bg.StoreError, match="nonsense"):
        Database(old.database, durable=True)
    assert version(old) == 1
    monkeypatch.undo()
    client_module.use(client_module.Client())
    monkeypatch.setenv("IPYBGJOBS_STATE_DIR", old.path)
