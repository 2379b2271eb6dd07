"""What hangs without being stopped is named within seconds: a supervisor, and whoever holds the store's write lock."""

import os
import re
import signal
import threading
import time
from typing import Self

import pytest

import ipybgjobs as bg
from ipybgjobs.client.client import Client, client
from ipybgjobs.client.jobs import supervision
from ipybgjobs.client.jobs.job_status import FullQueues
from ipybgjobs.commands import doctor
from ipybgjobs.commands.cli import main
from ipybgjobs.panel import overview
from ipybgjobs.panel.feed import _ChangeTracker
from ipybgjobs.state.folder import StateFolder
from ipybgjobs.store.database import Database
from support.driver import driven, script
from support.joints import ran, release
from support.place import DEADLINE, Place, until
from support.processes import kill, of_role, the_supervisor
from support.rows import rows
from support.startup_code import hooked

#: A supervisor that waits for ever in a call of the file system, as on a network that has gone, while a file is there.
_HANGING = """
import os, sys, time
if "supervisor" in sys.orig_argv:
    stat = os.stat
    def hanging(*arguments, **options):
        while os.access("MARKER", os.F_OK):
            time.sleep(0.01)
        return stat(*arguments, **options)
    os.stat = hanging
"""

#: A process that writes to the store, and does not let go of it while a file is there.
_HOLDER = """
    import os, sqlite3, sys, time
    connection = sqlite3.connect(sys.argv[1], isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    open(sys.argv[2], "w").close()
    while os.path.exists(sys.argv[2]):
        time.sleep(0.01)
    connection.execute("ROLLBACK")
"""


class Holder:
    """A process that holds the store's write lock, as a context."""

    def __init__(self, place: Place) -> None:
        self._held = place.root / "held"
        self.process = script(place, _HOLDER, place.state / "jobs.db", self._held)
        self.pid = self.process.pid

    def __enter__(self) -> Self:
        until(self._held.exists, "its transaction")
        return self

    def __exit__(self, *_: object) -> None:
        self._held.unlink(missing_ok=True)
        self.process.communicate()


def panel_trouble() -> str:
    folder = client().folder()
    found = _ChangeTracker(folder, lambda: client().database(folder), FullQueues(client(), folder)).poll() or {}
    return str(found.get("notice"))


def test_a_supervisor_that_hangs_is_named_within_seconds_wherever_one_looks_and_work_goes_on_once_it_is_ended(
    joints, monkeypatch, capsys
):
    marker = joints.root / "hangs"
    hooked(joints, _HANGING.replace("MARKER", str(marker)), monkeypatch)
    held = bg.submit("joints.hold", {"name": "held"})
    until(lambda: ran(joints, "held"), "its run")
    pid = the_supervisor(joints)
    marker.touch()
    late = bg.submit("joints.note", {"name": "late"})
    said = f"the supervisor (PID {pid}) has not been heard from since "
    until(lambda: said in late.status, "its name", 10)
    assert said in held.status
    assert said in late._repr_html_()
    assert said in overview.text(10, "submit")
    assert said in panel_trouble()
    assert any(said in problem for problem in doctor.examine().problems)
    assert main(["show", str(held.id)]) == 0
    assert said in capsys.readouterr().out
    [fix] = re.findall(r"kill -KILL (\d+)", late.status)
    kill(int(fix))
    marker.unlink()
    assert late.result(DEADLINE) == "late"
    assert "supervisor" not in held.status
    release(joints)
    held.wait(DEADLINE)


def test_a_supervisor_that_only_waits_is_not_said_to_hang(joints):
    held = bg.submit("joints.hold", {"name": "held"})
    until(lambda: ran(joints, "held"), "its run")
    began, said = time.monotonic(), set()
    until(lambda: said.add(supervision.trouble(client().folder())) or time.monotonic() > began + 9.0, "nine seconds")
    assert said == {None}
    release(joints)
    held.wait(DEADLINE)


def test_whoever_holds_the_store_is_named_by_those_who_see_the_supervisor_wait_for_it(joints):
    supervisor = driven(joints, "database.BUSY_SECONDS = 0.3")  # it gives up, and tries again, all the while
    job = bg.submit("joints.hold", {"name": "held"})
    until(lambda: ran(joints, "held"), "its run")
    with Holder(joints) as holder:
        release(joints)
        said = f"the store is locked by process {holder.pid} ("
        until(lambda: said in job.status, "its name", 15)
        assert f"if it hangs, kill it (kill -KILL {holder.pid})" in overview.text(10, "submit")
    assert job.wait(DEADLINE).state == "succeeded"
    until(lambda: supervisor.poll() is not None, "the supervisor's end")


def test_doctor_names_whoever_holds_the_store_where_no_supervisor_waits_for_it(joints):
    bg.submit("joints.note", {"name": "first"}).wait(DEADLINE)
    until(lambda: not of_role(joints, "supervisor"), "the end of the idle supervisor")
    with Holder(joints) as holder:
        assert any(f"the store is locked by process {holder.pid} (" in problem for problem in doctor.examine().problems)
    assert not any("locked by" in problem for problem in doctor.examine().problems)


@pytest.mark.parametrize("number", [None, signal.SIGSTOP], ids=["hangs", "is stopped"])
def test_whoever_waits_to_write_is_told_within_seconds_whom_it_waits_for_and_goes_on(joints, number):
    bg.submit("joints.note", {"name": "first"}).wait(DEADLINE)
    notes: list[str] = []
    waiting = Client(tell=notes.append)
    with Holder(joints) as holder:
        if number is not None:
            os.kill(holder.pid, number)
        submitting = threading.Thread(target=waiting.submit, args=("joints.note", {"name": "second"}))
        submitting.start()
        said = f"Note: waiting to write to the store for 3 s so far: the store is locked by process {holder.pid} ("
        until(lambda: notes, "a note", 10)
        assert notes[0].startswith(said)
        assert f"(kill -KILL {holder.pid})" in notes[0]
        os.kill(holder.pid, signal.SIGCONT)
    submitting.join(DEADLINE)
    assert len(notes) == 1
    assert bg.job(2).result(DEADLINE) == "second"
    waiting.close()


_WAITING = """
    import sys
    import ipybgjobs as bg
    try:
        bg.submit("joints.note", {"name": "interrupted"})
    except KeyboardInterrupt as error:
        print("interrupted", error, flush=True)
    print(bg.submit("joints.note", {"name": "after"}).result(60), flush=True)
"""


def test_an_interrupt_of_whoever_waits_to_write_leaves_no_job_and_a_client_that_works(joints):
    bg.submit("joints.note", {"name": "first"}).wait(DEADLINE)
    with Holder(joints):
        waiting = script(joints, _WAITING)
        assert "waiting to write" in next(line for line in waiting.stderr if "waiting" in line)
        waiting.send_signal(signal.SIGINT)
        assert waiting.stdout.readline() == "interrupted \n"
    out, _ = waiting.communicate(timeout=DEADLINE)
    assert out == "after\n"
    assert rows(joints, "SELECT count(*) FROM jobs") == [(2,)]
    assert not ran(joints, "interrupted")


_WRITING = """
    import os, sys
    from ipybgjobs.store.database import Database
    database, count = Database(sys.argv[1], durable=True), 0
    print("ready", flush=True)
    while not os.path.exists(sys.argv[2]):
        with database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO paused VALUES ('x', ?)", (count,))
        count += 1
    print(count)
"""


def _written(database, seconds):
    """How often a supervisor writes in so many seconds."""
    count, until_then = 0, time.monotonic() + seconds
    while time.monotonic() < until_then:
        with database.transaction():
            count += 1
        time.sleep(0.01)  # what a tick does besides
    return count


def test_clients_that_write_without_pause_do_not_keep_a_supervisor_from_writing(joints):
    StateFolder(str(joints.state)).create()
    store, over = joints.state / "jobs.db", joints.root / "over"
    database = Database(str(store), durable=False, supervising=True)
    alone = _written(database, 1.0)
    clients = [script(joints, _WRITING, store, over) for _ in range(6)]
    for each in clients:
        assert each.stdout.readline() == "ready\n"
    crowded = _written(database, 4.0) / 4.0
    over.touch()
    for each in clients:
        assert int(each.communicate()[0]) > 0
    assert crowded > alone / 6  # without their courtesy it is a twelfth
    database.close()
