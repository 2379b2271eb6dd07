"""Jobs whose owner is another host, another boot or another PID namespace of this host."""

import fcntl
import os
import signal
import sys
from pathlib import Path

import pytest

import ipybgjobs as bg
from support.driver import driven
from support.joints import held, ran
from support.place import DEADLINE, until
from support.processes import forge_start, forks, kill, kill_helpers, stopped, wake, worker
from support.rows import attempt_folder, copied_row, ended, notice, open_store, outcomes, rows

# -- owners -------------------------------------------------------------------------------------------------------------


def test_a_queued_job_of_another_place_is_not_claimed(joints):
    job = bg.submit("joints.note", {"name": "theirs"}, delay=600)
    rows(joints, "UPDATE jobs SET place = 'elsewhere', host = 'elsewhere', not_before = 0")
    assert bg.submit("joints.note", {"name": "ours"}).result(DEADLINE) == "ours"
    until(lambda: not joints.processes(), "the end of the supervisor, for whom there is nothing to do")
    assert (job.state, job.attempts, ran(joints, "theirs")) == ("queued", [], 0)
    assert "elsewhere" in job.status
    assert "never heard from" in job.status
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
    assert "last heard from 2 h" in job.status


# -- another PID namespace of this host ---------------------------------------------------------------------------------


def test_an_attempt_in_another_pid_namespace_is_running_while_its_start_marker_is_locked(joints):
    job = held(joints)
    pid = worker(joints)
    kill_helpers(joints)
    kill(pid)
    marker = forge_start(joints, 1, pid_namespace="pid:[1]")
    with marker.open("r+b") as theirs:
        fcntl.lockf(theirs, fcntl.LOCK_EX)  # not seen by this process itself, but by all others
        other = bg.submit("joints.note", {"name": "other"})
        until(lambda: ended(joints, other.id), "another job's end")
        assert job.state == "running"
        assert outcomes(job) == [(1, None)]
    wake(joints)
    until(lambda: ended(joints), "the job's end")
    [attempt] = job.attempts
    assert (attempt.outcome, attempt.exit_code, attempt.signal) == ("lost", None, None)


def test_an_attempt_in_another_pid_namespace_is_lost_where_its_start_marker_is_not_locked(joints):
    job = held(joints)
    pid = worker(joints)
    kill_helpers(joints)
    kill(pid)
    forge_start(joints, 1, pid_namespace="pid:[1]")
    open_store()
    until(lambda: ended(joints), "the job's end")
    assert outcomes(job) == [(1, "lost")]


def test_a_worker_holds_its_start_marker_from_the_moment_it_has_its_name(joints):
    """Or a supervisor in another PID namespace that looks right then declares it lost."""
    supervisor = driven(joints, "", "after(attempt, 'claim_start', stop)")
    bg.submit("joints.note", {"name": "once"})
    [pid] = until(lambda: [each for each in forks(joints) if stopped(each)], "a worker that has just claimed")
    marker = attempt_folder(joints) / "started.json"
    held_now = is_locked(marker)
    os.kill(pid, signal.SIGCONT)
    until(lambda: ended(joints), "the job's end")
    until(lambda: supervisor.poll() is not None, "the supervisor's end")
    assert held_now


def is_locked(path: Path) -> bool:
    with path.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False
