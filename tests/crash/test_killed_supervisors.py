"""Supervisors and fork servers that die while attempts run: these go on, and their ends are recorded."""

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest

import ipybgjobs as bg
from support.joints import allow, held, ran, release
from support.place import until
from support.processes import alive, kill, kill_helpers, of_role, the_supervisor, worker
from support.rows import attempt_folder, ended, open_store, outcomes, rows, state_of

# -- the supervisor dies ------------------------------------------------------------------------------------------------


def test_a_fork_server_replaces_its_supervisor_and_running_jobs_go_on(joints):
    jobs = [held(joints, name) for name in ("one", "two")]
    pids = [worker(joints, job.id) for job in jobs]
    supervisor = the_supervisor(joints)
    kill(supervisor)
    the_supervisor(joints, supervisor)
    assert all(alive(pid) for pid in pids)
    release(joints)
    until(lambda: all(ended(joints, job.id) for job in jobs), "their ends")
    for job, name in zip(jobs, ("one", "two"), strict=True):
        [attempt] = job.attempts
        assert (job.result(), ran(joints, name), attempt.outcome, attempt.exit_code) == (name, 1, "succeeded", 0)
        assert attempt.peak_memory > 1 << 20
        assert attempt.cpu_seconds is not None


def test_the_next_supervisor_has_nothing_of_the_variables_of_a_job(joints, monkeypatch):
    """Its fork server, which starts it, forks with the variables of the job that it launched last."""
    ours = {"LC_OF_A_PLACE": "ours", "IPYBGJOBS_OF_A_PLACE": "ours"}
    for name, value in ours.items():
        monkeypatch.setenv(name, value)
    held(joints, "first")
    supervisor = the_supervisor(joints)
    monkeypatch.setenv("LC_OF_A_PLACE", "another")
    monkeypatch.setenv("IPYBGJOBS_ADDED", "1")
    monkeypatch.delenv("IPYBGJOBS_OF_A_PLACE")
    held(joints)
    kill(supervisor)
    second = the_supervisor(joints, supervisor)
    found = dict(line.split("=", 1) for line in Path(f"/proc/{second}/environ").read_text().split("\0") if "=" in line)
    assert {name: found.get(name) for name in (*ours, "IPYBGJOBS_ADDED")} == ours | {"IPYBGJOBS_ADDED": None}
    release(joints)
    until(lambda: ended(joints, 1) and ended(joints, 2), "their ends")


def test_an_end_that_comes_while_no_supervisor_lives_is_recorded_as_the_fork_server_saw_it(joints):
    """The new supervisor is kept from starting for as long as the ends take."""
    first, second = held(joints, "one"), held(joints, "two")
    supervisor, [forkserver] = the_supervisor(joints), of_role(joints, "forkserver")
    os.kill(forkserver, signal.SIGSTOP)
    kill(supervisor)
    os.kill(worker(joints, second.id), signal.SIGTERM)
    release(joints)
    until(lambda: not alive(worker(joints, first.id)) and not alive(worker(joints, second.id)), "the ends of both workers")
    os.kill(forkserver, signal.SIGCONT)
    until(lambda: ended(joints, first.id) and ended(joints, second.id), "their records")
    assert [(a.outcome, a.exit_code, a.signal) for a in first.attempts] == [("succeeded", 0, None)]
    [attempt] = second.attempts
    assert attempt.outcome in ("error", "lost")
    assert (attempt.exit_code, attempt.signal) != (None, None)
    assert attempt.peak_memory


def test_a_worker_killed_together_with_its_supervisor_is_lost_with_its_signal(joints):
    job = held(joints)
    pid = worker(joints)
    supervisor = the_supervisor(joints)
    os.kill(supervisor, signal.SIGSTOP)  # so that it can't record the end first
    kill(pid)
    kill(supervisor)
    until(lambda: ended(joints), "its record")
    [attempt] = job.attempts
    assert (attempt.outcome, attempt.signal, attempt.exit_code) == ("lost", signal.SIGKILL, None)
    assert attempt.peak_memory


@pytest.mark.parametrize("meanwhile", ["runs on", "succeeds", "is killed"])
def test_when_supervisor_and_fork_server_die_the_next_opening_finds_out_and_guesses_nothing(joints, meanwhile):
    job = held(joints)
    pid = worker(joints)
    kill_helpers(joints)
    if meanwhile == "is killed":
        kill(pid)
    if meanwhile == "succeeds":
        release(joints)
        until(lambda: not alive(pid), "the worker's end")
    assert state_of(joints) == "running"
    open_store()
    if meanwhile == "runs on":
        until(lambda: of_role(joints, "supervisor"), "a supervisor")
        assert job.state == "running"
        release(joints)
    until(lambda: ended(joints), "its record")
    [attempt] = job.attempts
    assert (attempt.number, attempt.outcome) == (1, "lost" if meanwhile == "is killed" else "succeeded")
    assert (attempt.exit_code, attempt.signal, attempt.peak_memory, attempt.cpu_seconds) == (None, None, None, None)
    assert ran(joints, "held") == 1


def test_a_worker_that_dies_with_everybody_is_retried_by_rule_and_counted(joints):
    allow(joints, RetryPolicy__max_attempts=2)
    job = held(joints)
    pid = worker(joints)
    kill_helpers(joints)
    kill(pid)
    open_store()
    until(lambda: ran(joints, "held") == 2, "the second run")
    release(joints)
    until(lambda: ended(joints), "the job's end")
    assert outcomes(job) == [(1, "lost"), (2, "succeeded")]


def test_a_timeout_goes_on_counting_while_supervisors_change(joints):
    job = bg.submit("joints.hold", {"name": "held"}, timeout=1.5)
    until(lambda: ran(joints, "held"), "its run")
    began = time.monotonic()
    supervisor = the_supervisor(joints)
    kill(supervisor)
    until(lambda: ended(joints), "the job's end")
    assert outcomes(job) == [(1, "timeout")]
    assert time.monotonic() - began < 15


def test_a_supervisor_killed_again_and_again_at_its_start_is_replaced_again_and_again(joints):
    job = held(joints)
    dead = []
    for _ in range(3):
        dead.append(the_supervisor(joints, *dead))
        kill(dead[-1])
        open_store()
    release(joints)
    until(lambda: ended(joints), "the job's end")
    assert outcomes(job) == [(1, "succeeded")]
    assert ran(joints, "held") == 1


def test_a_fork_server_that_can_not_write_what_it_saw_still_sees_to_a_supervisor_and_to_its_other_jobs(joints):
    """A full disk, say, or a folder that was removed: then nobody saw it, and that is all."""
    first, second = held(joints, "one"), held(joints, "two")
    (attempt_folder(joints, first.id) / "exit.json").mkdir()
    pid = worker(joints, first.id)
    supervisor = the_supervisor(joints)
    os.kill(supervisor, signal.SIGSTOP)
    kill(pid)
    kill(supervisor)
    until(lambda: ended(joints, first.id), "its record, with no client there")
    release(joints)
    until(lambda: ended(joints, second.id), "the other's")
    assert [(a.outcome, a.signal) for a in first.attempts] == [("lost", None)]
    assert [(a.outcome, a.exit_code) for a in second.attempts] == [("succeeded", 0)]


def test_settings_of_the_files_hold_for_a_supervisor_that_only_finds_running_jobs(joints):
    """Nothing is claimed any more, so nothing else makes it read the files: grace, idle time and logs are theirs all the same."""
    logs = joints.root / "other-logs"
    allow(joints, BackgroundJobs__kill_grace_seconds=0.1, JobLogs__directory=str(logs))
    job = bg.submit("joints.stubborn")
    until(lambda: "stubborn" in job.log(), "its run")
    supervisor = the_supervisor(joints)
    kill(supervisor)
    the_supervisor(joints, supervisor)
    began = time.monotonic()
    job.cancel()
    assert time.monotonic() - began < 8, "it took the default grace"
    until(lambda: "was cancelled" in (logs / "background_jobs.log").read_text(), "the log")
    until(lambda: not joints.processes(), "the end of the idle time", 10)


# -- everything at once -------------------------------------------------------------------------------------------------


def test_thirty_jobs_run_once_each_however_often_supervisors_and_fork_servers_are_killed(joints):
    allow(joints, BackgroundJobs__queues={"default": 6})
    draw = random.Random(1)
    jobs = [bg.submit("joints.brief", {"name": str(n), "seconds": draw.uniform(0.0, 0.4)}) for n in range(30)]
    for _ in range(10):
        role = draw.choice(["supervisor", "forkserver", "both"])
        pids = [pid for each in ("supervisor", "forkserver") if role in (each, "both") for pid in of_role(joints, each)]
        for pid in pids:
            kill(pid)
        if role == "both":
            open_store()
        settle = time.monotonic() + draw.uniform(0.05, 0.4)
        until(lambda settle=settle: time.monotonic() > settle)
        if not of_role(joints, "supervisor"):
            open_store()
    until(lambda: all(ended(joints, job.id) for job in jobs), "all ends")
    assert [outcomes(job) for job in jobs] == [[(1, "succeeded")]] * 30
    assert [ran(joints, str(number)) for number in range(30)] == [1] * 30
    assert [job.result() for job in jobs] == [str(number) for number in range(30)]
    assert "Traceback" not in (joints.state / "supervisor.err").read_text()


def test_workers_killed_at_random_are_lost_and_retried_by_rule(joints):
    allow(joints, BackgroundJobs__queues={"default": 4}, RetryPolicy__max_attempts=20, RetryPolicy__delay_seconds=0.05)
    draw = random.Random(3)
    bg.pause()
    jobs = [bg.submit("joints.brief", {"name": str(n), "seconds": 0.3}) for n in range(8)]
    bg.resume()
    killed = 0
    while killed < 8:
        live = rows(joints, "SELECT job_id, folder FROM attempts WHERE outcome IS NULL")
        if not live:
            until(lambda: rows(joints, "SELECT 1 FROM attempts WHERE outcome IS NULL") or all(ended(joints, j.id) for j in jobs))
            if all(ended(joints, job.id) for job in jobs):
                break
            continue
        marker = joints.state / draw.choice(live)[1] / "started.json"
        if marker.exists():
            kill(int(json.loads(marker.read_text())["process"]["pid"]))
            killed += 1
    until(lambda: all(ended(joints, job.id) for job in jobs), "all ends")
    assert killed
    for number, job in enumerate(jobs):
        found = outcomes(job)
        assert [n for n, _ in found] == list(range(1, len(found) + 1))
        assert [outcome for _, outcome in found] == ["lost"] * (len(found) - 1) + ["succeeded"]
        assert ran(joints, str(number)) <= len(found)
