"""Time-outs of attempts, and deadlines of jobs with all their retries."""

import datetime as dt
import os
import signal
import time

import pytest

import ipybgjobs as bg
from support.attempts import AT_ONCE, ended, outcomes
from support.place import running, until

_DEADLINE = "its deadline (retry_until) has passed"


def _in(seconds):
    """A time of the clock: asked for anew for each submission, which may take a while itself."""
    return dt.datetime.now().astimezone() + dt.timedelta(seconds=seconds)


# -- time-outs ----------------------------------------------------------------------------------------------------------


def test_an_attempt_that_takes_longer_than_its_timeout_is_ended(tries_alone):
    job = bg.submit("tries.cleans_up", {"path": str(tries_alone.root / "clean")}, timeout="1500ms")
    with pytest.raises(bg.JobTimeout, match=r"tries\.cleans_up.*took longer than its timeout"):
        job.result(60)
    [attempt] = job.attempts
    assert (job.state, attempt.outcome) == ("failed", "timeout")
    assert 1.5 <= attempt.ended_at - attempt.started_at < 20
    assert (tries_alone.root / "clean").exists()
    assert "KeyboardInterrupt" in job.traceback


def test_each_attempt_has_the_whole_timeout(tries):
    job = bg.submit("tries.sleeps", timeout=0.3, retry={"max_attempts": 2, "delay_seconds": 0}).wait(60)
    assert outcomes(job) == ["timeout", "timeout"]
    assert all(attempt.ended_at - attempt.started_at >= 0.3 for attempt in job.attempts)


def test_time_spent_waiting_is_not_counted(tries):
    job = bg.submit("tries.sleeps", {"seconds": 0}, delay=3, timeout=2.9)
    assert job.wait(60).state == "succeeded"


# -- time-outs and deadlines --------------------------------------------------------------------------------------------


def test_a_timed_out_attempt_is_ended_with_its_tree_before_the_next_one_starts(control):
    job = bg.submit("control.family_once", timeout=2, retry=AT_ONCE)
    until((control.place.code / "first").exists, "the first run")
    control.crash()
    assert job.result(60) == []
    assert outcomes(job) == ["timeout", "succeeded"]
    assert job.attempts[0].error == "took longer than its timeout"


def test_a_job_that_is_still_queued_at_its_deadline_fails(control):
    blocking = control.held(queue="one")
    bg.pause("default")
    os.kill(control.place.supervisor_pid(), signal.SIGSTOP)  # however long the submissions take, it has ended none of the jobs
    jobs = [
        bg.submit("control.note", {"name": "late"}, queue="one", retry_until=0.5),
        bg.submit("control.note", {"name": "late"}, retry_until="500ms"),
        bg.submit("control.note", {"name": "late"}, queue="probe", after=blocking, retry_until=_in(2)),
        bg.submit("control.note", {"name": "late"}, delay=0.1, retry_until=str(_in(2))),
    ]
    needs = bg.submit("control.note", queue="probe", after=jobs[0])
    control.crash()
    for job in jobs:
        assert job.wait(60).error == _DEADLINE
    assert [(job.state, job.attempts) for job in jobs] == [("failed", [])] * 4
    assert needs.wait(60).error == f"job {jobs[0].id} (control.note), which it depends on, failed"
    with pytest.raises(bg.JobFailed, match=r"retry_until"):
        jobs[0].result(60)
    assert blocking.state == "running"
    bg.resume()
    control.go("hold")
    blocking.result(60)
    assert control.runs("late") == 0


def test_a_job_that_runs_at_its_deadline_is_ended_and_not_tried_again(control):
    control.probe()
    jobs = {}
    for name, deadline in {"duration": lambda: 4, "time": lambda: str(_in(4))}.items():
        before = time.time()
        jobs[name] = before, running(bg.submit("control.cleans_up", {"name": name}, retry_until=deadline(), retry=AT_ONCE))
    control.crash()
    for name, (before, job) in jobs.items():
        with pytest.raises(bg.JobTimeout, match=r"its deadline \(retry_until\) has passed"):
            job.result(60)
        assert (outcomes(job), job.error, job.attempts[0].error) == (["timeout"], _DEADLINE, _DEADLINE)
        assert ended(job) >= before + 4
        assert (control.runs(name), control.runs(f"{name}.cleaned")) == (1, 1)
    _, job = jobs["duration"]
    job.retry()
    until(lambda: control.runs("duration") == 2, "another run, asked for by hand: without a deadline")
    job.cancel()


def test_no_attempt_follows_a_deadline(control):
    job = bg.submit("control.fails", retry={"max_attempts": 3, "delay_seconds": 300}, retry_until="2m")
    assert job.wait(60).state == "failed"
    assert (outcomes(job), job.error) == (["error"], "ValueError: as planned")
    until(lambda: "its deadline (retry_until) leaves no time for another attempt" in control.place.log(), "the line in the log")


def test_attempts_follow_each_other_until_the_deadline(control):
    job = bg.submit("control.fails", {"name": "tries"}, retry={"max_attempts": 1000, "delay_seconds": 0.1}, retry_until=4)
    submitted = time.time()
    job.wait(60)
    assert job.state == "failed"
    assert len(job.attempts) > 1
    assert all(attempt.started_at < submitted + 4 + 1 for attempt in job.attempts)
    assert control.runs("tries") == len(job.attempts)
