"""Ending an attempt with its whole tree, while those who end it die, and never another process in its place."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import ipybgjobs as bg
from ipybgjobs.system import identity
from support.driver import driven
from support.joints import allow, held
from support.place import DEADLINE, until
from support.processes import alive, forge_start, kill, kill_helpers, of_role, stopped, the_supervisor, wake, worker
from support.requests import request_cancel
from support.rows import attempt_folder, ended, open_store, outcomes, rows

_ENDING = {
    "the reason is committed": "LocalExecutor.cancel = die",
    "before the first signal": "tree.interrupt = die",
    "after the first signal": "after(tree, 'interrupt', die)",
    "after the second signal": "after(tree, 'terminate', die)",
    "everything is stopped": "before(tree, 'send', die, lambda _, number: number == signal.SIGKILL)",
    "all but the worker have ended": "after(tree, 'send', die, lambda _, __, number: number == signal.SIGKILL)",
}


_ENDINGS = [(boundary, "cancelled") for boundary in _ENDING]


_ENDINGS += [("the reason is committed", "timeout"), ("after the first signal", "timeout")]


@pytest.mark.parametrize(("boundary", "reason"), _ENDINGS)
def test_an_ending_goes_on_under_the_next_supervisor(joints, boundary, reason):
    allow(joints, BackgroundJobs__kill_grace_seconds=0.2)
    dead = driven(joints, _ENDING[boundary])
    job = bg.submit("joints.stubborn", timeout=1.0 if reason == "timeout" else None)
    until(lambda: "stubborn" in job.log(), "its run")
    grandchild, pid = int((joints.code / "grandchild").read_text()), worker(joints)
    until(lambda: os.getsid(grandchild) == grandchild, "a session of its own")
    if reason == "cancelled":
        request_cancel(job)
    assert dead.wait(DEADLINE) == -signal.SIGKILL
    until(lambda: ended(joints), "the job's end, with no client there")
    assert outcomes(job) == [(1, reason)]
    assert not alive(pid)
    until(lambda: not alive(grandchild), "the end of the grandchild in a session of its own", 5)


def test_an_ending_goes_on_though_the_fork_server_is_killed(joints):
    job = bg.submit("joints.stubborn")
    until(lambda: "stubborn" in job.log(), "its run")
    grandchild, pid = int((joints.code / "grandchild").read_text()), worker(joints)
    request_cancel(job, 0.5)
    until((attempt_folder(joints) / "ending.json").exists, "the first signal")
    [forkserver] = of_role(joints, "forkserver")
    kill(forkserver)
    until(lambda: ended(joints), "the job's end")
    assert outcomes(job) == [(1, "cancelled")]
    assert not alive(pid)
    until(lambda: not alive(grandchild), "the end of the grandchild", 5)


def test_an_ending_goes_on_at_the_next_opening_where_supervisor_and_fork_server_died_while_all_was_stopped(joints):
    dead = driven(
        joints,
        """
        servers = []
        after(LocalExecutor, "ensure_fork_server", lambda self: servers.append(self._servers[-1].process.pid))
        def both(*_):
            os.kill(servers[-1], signal.SIGKILL)
            die()
        before(tree, "send", both, lambda _, number: number == signal.SIGKILL)
        """,
    )
    job = bg.submit("joints.stubborn")
    until(lambda: "stubborn" in job.log(), "its run")
    grandchild, pid = int((joints.code / "grandchild").read_text()), worker(joints)
    request_cancel(job, 0.1)
    assert dead.wait(DEADLINE) == -signal.SIGKILL
    assert stopped(pid)
    open_store()
    until(lambda: ended(joints), "the job's end")
    assert outcomes(job) == [(1, "cancelled")]
    until(lambda: not alive(grandchild), "the end of the grandchild", 5)


@pytest.fixture
def bystander() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that has nothing to do with anything, leader of a session with a child."""
    process = subprocess.Popen(["sh", "-c", "sleep 601 & wait"], start_new_session=True)
    yield process
    assert process.poll() is None, "a bystander was ended"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


_REUSED = {
    "another start time": {},
    "the same ticks after another boot": {"boot": "00000000-0000-0000-0000-000000000000"},
}


@pytest.mark.parametrize("was_ending", [False, True], ids=["running", "being cancelled"])
@pytest.mark.parametrize("reused", _REUSED)
def test_a_pid_that_was_given_away_is_neither_waited_for_nor_signalled(joints, bystander, reused, was_ending):
    job = held(joints)
    pid = worker(joints)
    kill_helpers(joints)
    kill(pid)
    same = {"start_time": identity.current(bystander.pid).start_time} if _REUSED[reused] else {}
    forge_start(joints, bystander.pid, process={**_REUSED[reused], **same})
    if was_ending:
        rows(joints, "UPDATE attempts SET ending = 'cancelled', ending_at = 0, ending_grace = 0.1")
    open_store()
    until(lambda: ended(joints), "the job's end", 15)
    assert outcomes(job) == [(1, "cancelled" if was_ending else "lost")]


def test_a_cancel_of_an_attempt_in_another_pid_namespace_signals_nobody_here(joints, bystander):
    job = held(joints)
    pid = worker(joints)
    kill_helpers(joints)
    kill(pid)
    same = {"start_time": identity.current(bystander.pid).start_time}
    marker = forge_start(joints, bystander.pid, process=same, pid_namespace="pid:[1]")
    with marker.open("r+b") as theirs:
        fcntl.lockf(theirs, fcntl.LOCK_EX)
        open_store()
        request_cancel(job, 0.05)
        until(lambda: rows(joints, "SELECT ending FROM attempts") == [("cancelled",)], "the request's answer")
        until(lambda: not rows(joints, "SELECT * FROM requests"), "the request's answer")
        assert job.state == "running"
        assert bystander.poll() is None
    wake(joints)
    until(lambda: ended(joints), "the job's end, once its lock is free")
    assert outcomes(job) == [(1, "cancelled")]


def test_an_attempt_that_can_not_be_ended_from_here_does_not_keep_the_supervisor_busy(joints, bystander):
    """Its time is up, and its process is in another PID namespace."""
    job = held(joints)
    pid = worker(joints)
    kill_helpers(joints)
    kill(pid)
    marker = forge_start(joints, bystander.pid, pid_namespace="pid:[1]")
    rows(joints, "UPDATE jobs SET timeout = 0.01")
    with marker.open("r+b") as theirs:
        fcntl.lockf(theirs, fcntl.LOCK_EX)
        open_store()
        until(lambda: rows(joints, "SELECT ending FROM attempts") == [("timeout",)], "the time-out")
        supervisor = the_supervisor(joints)
        before, began = busy_seconds(supervisor), time.monotonic()
        until(lambda: time.monotonic() > began + 1.0)
        assert busy_seconds(supervisor) - before < 0.5
    wake(joints)
    until(lambda: ended(joints), "the job's end, once its lock is free")
    assert outcomes(job) == [(1, "timeout")]


def busy_seconds(pid: int) -> float:
    """How long a process has run, or waited for a processor that others used."""
    running, waiting, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
    return (int(running) + int(waiting)) / 1e9


def test_an_attempt_can_be_cancelled_though_nothing_can_be_written_in_its_folder(joints):
    """A full disk is a reason to cancel, not to fail at it."""
    job = held(joints)
    (attempt_folder(joints) / "ending.json").mkdir()
    request_cancel(job, 0.1)
    try:
        until(lambda: ended(joints), "the job's end", 15)
        assert outcomes(job) == [(1, "cancelled")]
    finally:
        kill_helpers(joints)


#: Cancels a job whose attempt folder is on a full file system of its own, and says how it ended.
_CANCELS = """
import time
import ipybgjobs as bg

job = bg.submit("filling.fill")
while "full" not in job.log():
    time.sleep(0.01)
try:
    job.cancel()
    job.result(60)
except bg.JobCancelled as error:
    print(job.state, job.attempts[0].outcome, error.value)
else:
    print(job.state, job.attempts[0].outcome)
"""


def test_a_job_that_makes_room_and_returns_when_it_is_cancelled_on_a_full_disk_is_cancelled(place):
    place.module("filling")
    place.allow({"filling": ["fill"]}, BackgroundJobs__idle_seconds=0.2, BackgroundJobs__kill_grace_seconds=20.0)
    jobs = place.state / "jobs"
    jobs.mkdir(mode=0o700, parents=True)
    place.state.chmod(0o700)
    mounting = f'mount -t tmpfs -o size=256k,mode=700 tmpfs "{jobs}" && exec "$0" -c "$1"'
    command = ["unshare", "-Urm", "sh", "-c", mounting, sys.executable, _CANCELS]
    done = subprocess.run(command, cwd=place.code, capture_output=True, text=True, timeout=2 * DEADLINE, check=False)
    if "unshare failed" in done.stderr or "mount:" in done.stderr:
        pytest.skip("no file system can be mounted here")
    assert done.stdout == "cancelled cancelled finished\n", done.stderr
