"""An outcome is there whole or not at all, whenever its worker dies."""

import signal
import time

import pytest

import ipybgjobs as bg
from support.joints import allow, held, release
from support.place import DEADLINE, until
from support.processes import alive, kill, kill_helpers, of_role, the_supervisor, worker
from support.rows import attempt_folder, ended, open_store, outcomes


@pytest.mark.parametrize(("boundary", "outcome"), [("before", "lost"), ("after", "succeeded")])
def test_an_outcome_counts_from_the_moment_it_has_its_name(joints, boundary, outcome):
    job = bg.submit("joints.die_at_outcome", {"boundary": boundary}).wait(DEADLINE)
    [attempt] = job.attempts
    assert (attempt.outcome, attempt.signal) == (outcome, signal.SIGKILL)
    assert list(attempt_folder(joints).glob("outcome.json*.part")) == [] or outcome == "lost"
    if outcome == "succeeded":
        assert job.result() == "after"
    else:
        with pytest.raises(bg.JobLost, match="SIGKILL"):
            job.result()


def test_an_outcome_cut_short_by_a_crash_of_the_machine_is_no_outcome(joints):
    job = held(joints)
    pid = worker(joints)
    kill_helpers(joints)
    kill(pid)
    (attempt_folder(joints) / "outcome.json").write_text('{"status":"succeeded","resu')
    open_store()
    until(lambda: ended(joints), "the job's end")
    assert outcomes(job) == [(1, "lost")]


def test_a_cancel_while_the_result_is_being_written_is_a_cancel(joints):
    job = bg.submit("joints.slow_result")
    until((joints.code / "pickling").exists, "the pickling of its result")
    job.cancel(grace=5)
    assert outcomes(job) == [(1, "cancelled")]


def test_jobs_outlive_their_fork_server_and_new_ones_get_another(joints):
    jobs = [held(joints, name) for name in ("one", "two")]
    pids = [worker(joints, job.id) for job in jobs]
    supervisor = the_supervisor(joints)
    [forkserver] = of_role(joints, "forkserver")
    kill(forkserver)
    allow(joints, BackgroundJobs__queues={"default": 3})
    assert bg.submit("joints.note", {"name": "three"}).result(DEADLINE) == "three"
    assert all(alive(pid) for pid in pids)
    assert of_role(joints, "supervisor") == [supervisor]
    release(joints)
    until(lambda: all(ended(joints, job.id) for job in jobs), "their ends")
    for job in jobs:
        assert outcomes(job) == [(1, "succeeded")]
        [attempt] = job.attempts
        assert (attempt.exit_code, attempt.peak_memory) == (None, None), "nobody saw how it ended"


def test_a_worker_killed_after_its_fork_server_is_seen_as_lost_at_once(joints):
    job = held(joints)
    pid = worker(joints)
    [forkserver] = of_role(joints, "forkserver")
    kill(forkserver)
    until(lambda: of_role(joints, "supervisor"), "the supervisor")
    began = time.monotonic()
    kill(pid)
    until(lambda: ended(joints), "its record")
    assert time.monotonic() - began < 4, "it was found by chance"
    assert outcomes(job) == [(1, "lost")]


def test_a_killed_worker_is_seen_as_lost_at_once(joints):
    job = held(joints)
    pid = worker(joints)
    began = time.monotonic()
    kill(pid)
    until(lambda: ended(joints), "its record")
    assert time.monotonic() - began < 2, "it was found by chance"
    [attempt] = job.attempts
    assert (attempt.outcome, attempt.signal) == ("lost", signal.SIGKILL)
