"""A transaction of the supervisor does nothing but its statements: others wait for it."""

import os
import signal
import sqlite3
import subprocess
import sys

import pytest

import ipybgjobs as bg
from ipybgjobs.store.row_cache import Readings, Unparsed, at_once
from support.driver import driven
from support.joints import ran, release
from support.place import DEADLINE, until
from support.rows import outcomes, rows

#: Notes, by function, whatever is parsed, hashed, matched or read from a file while a transaction is open.
_WATCH = """
    import contextlib, hashlib, json, os, traceback
    from ipybgjobs.model import json_text, redaction
    from ipybgjobs.system import private_file

    transaction, inside = Database.transaction, []

    @contextlib.contextmanager
    def watched(self):
        with transaction(self) as connection:
            inside.append(True)
            try:
                yield connection
            finally:
                inside.pop()

    Database.transaction = watched

    def note(*_, **__):
        with os.fdopen(os.open("NOTED", os.O_WRONLY | os.O_CREAT | os.O_APPEND), "w") as file:
            file.write("".join(traceback.format_stack()[-5:-1]) + "---\\n")

    for owner, names in ((json_text, ["parse"]), (json, ["loads", "load"]), (private_file, ["opened", "read_json"]),
                         (redaction, ["without"]), (hashlib, ["sha256"])):
        for name in names:
            before(owner, name, note, lambda *_: bool(inside))
"""


#: Notes each transaction that has to be made anew.
_COUNT = """
    import os
    from ipybgjobs.store import row_cache

    def note(*_, **__):
        with os.fdopen(os.open("NOTED", os.O_WRONLY | os.O_CREAT | os.O_APPEND), "w") as file:
            file.write("made anew\\n")

    before(row_cache.Readings, "learn", note, lambda *_: True)
"""


def test_a_transaction_parses_nothing_whatever_it_decides(joints):
    """Claims, retries by rule and by hand, failures of what comes after, a cancel, a time-out; more jobs than are read ahead."""
    noted = joints.root / "noted"
    supervisor = driven(joints, _WATCH.replace("NOTED", str(noted)))
    held = bg.submit("joints.hold", {"name": "held"})
    until(lambda: ran(joints, "held"), "its run")
    bg.pause()
    failing = bg.submit("joints.fails", retry={"max_attempts": 2, "delay_seconds": 0.1})
    after = [bg.submit("joints.note", {"name": "never"}, after=failing) for _ in range(3)]
    last = bg.submit("joints.note", {"name": "never"}, after=after)
    waiting = bg.submit("joints.note", {"name": "never"}, delay="1h")
    late = bg.submit("joints.hold", {"name": "late"}, timeout=0.3)
    many = bg.submit_many("joints.note", [{"name": "many"}] * 40).jobs
    bg.resume()
    assert [job.wait(DEADLINE).state for job in (last, *after)] == ["failed"] * 4
    assert len(outcomes(failing)) == 2
    waiting.cancel()
    late.wait(DEADLINE)
    failing.retry().wait(DEADLINE)
    release(joints)
    assert [job.wait(DEADLINE).state for job in (held, *many)] == ["succeeded"] * 41
    assert ran(joints, "many") == 40
    assert [waiting.state, late.state, ran(joints, "never")] == ["cancelled", "failed", 0]
    assert not noted.exists(), noted.read_text()[:3000]
    assert supervisor.wait(DEADLINE) == 0


def test_rows_that_are_not_parsed_are_told_and_those_that_were_used_last_are_kept():
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    numbers = connection.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) SELECT i FROM n"
    ).fetchall()
    connection.close()

    def double(row):
        return row["i"] * 2

    readings = Readings()
    with pytest.raises(Unparsed) as told:
        readings(double, numbers)
    assert told.value.rows == numbers
    readings.learn(told.value)
    assert readings(double, numbers) == at_once(double, numbers)
    assert readings(double, numbers[:3]) == [2, 4, 6]
    readings.forget()
    assert readings(double, [*numbers[-3:], *numbers[:3]]) == [396, 398, 400, 2, 4, 6]
    with pytest.raises(Unparsed) as told:
        readings(double, numbers[:100])
    assert [row["i"] for row in told.value.rows][:2] == [4, 5]


def test_an_attempt_that_fails_and_a_cancel_of_its_job_meet_in_one_transaction(joints):
    joints.module("failing")
    joints.allow({"failing": ["fails_late"]}, BackgroundJobs__idle_seconds=0.2)
    noted = joints.root / "noted"
    supervisor = driven(joints, _COUNT.replace("NOTED", str(noted)))
    job = bg.submit("failing.fails_late", retry={"max_attempts": 3, "delay_seconds": 60, "jitter": 0.5})
    until(lambda: job.attempts, "its run")
    folder = joints.state / "jobs" / job.uid / "1"
    until((folder / "started.json").exists, "its start")
    noted.unlink(missing_ok=True)
    os.kill(supervisor.pid, signal.SIGSTOP)
    (joints.code / "go").touch()
    until((folder / "outcome.json").exists, "its failure")
    with subprocess.Popen([sys.executable, "-m", "ipybgjobs", "cancel", "1"], cwd=joints.code, stdout=subprocess.PIPE) as cancel:
        until(lambda: rows(joints, "SELECT count(*) FROM requests") == [(1,)], "the request")
        os.kill(supervisor.pid, signal.SIGCONT)
        assert job.wait(DEADLINE).state == "cancelled"
        cancel.communicate(timeout=DEADLINE)
    assert noted.read_text().count("made anew") <= 5
    until(lambda: supervisor.poll() is not None, "the supervisor's end")
