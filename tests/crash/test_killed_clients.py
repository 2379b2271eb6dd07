"""A client that dies at any moment of a submit leaves a whole job or none."""

import os
import signal
import textwrap

import pytest

import ipybgjobs as bg
from support.driver import script
from support.joints import allow, ran
from support.place import DEADLINE, Place, until
from support.processes import kill_helpers, of_role
from support.rows import ended, open_store, rows, state_of

_BEFORE_COMMIT = {
    "before its transaction": "submissions.submit = die",
    "inside its transaction": "submissions.context_id = die",
    "before the commit itself": """
        class Deadly(sqlite3.Connection):
            def execute(self, sql, *values):
                die() if sql == "COMMIT" else None
                return super().execute(sql, *values)
        client_module.use(client_module.Client())
        connect = sqlite3.connect
        sqlite3.connect = lambda *values, **options: connect(*values, factory=Deadly, **options)
    """,
}


_CLIENT = """
import os, pathlib, signal, sqlite3, sys
import ipybgjobs as bg
from ipybgjobs.client import client as client_module, writer
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
