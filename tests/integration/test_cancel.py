"""Cancelling: jobs that wait, run, clean up, refuse to end, or have ended."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

import ipybgjobs as bg
from ipybgjobs.client.jobs.job_list import JobList
from ipybgjobs.commands.cli import main
from support.attempts import AT_ONCE, TRIES, is_alive, outcomes
from support.driver import driven
from support.place import running, until

pytestmark = pytest.mark.shared_place


def test_a_queued_job_that_is_cancelled_never_starts(tries):
    job = bg.submit("tries.sleeps", delay="1h")
    assert job.cancel() is job
    assert (job.state, job.attempts) == ("cancelled", [])
    with pytest.raises(bg.JobCancelled, match=f"job {job.id} .*was cancelled"):
        job.result(60)


def test_a_running_job_that_is_cancelled_can_clean_up(tries_alone):
    job = running(bg.submit("tries.cleans_up", {"path": str(tries_alone.root / "clean")}))
    job.cancel()
    assert (job.state, outcomes(job)) == ("cancelled", ["cancelled"])
    assert (tries_alone.root / "clean").exists()
    assert job.log().startswith("sleeping\n")
    with pytest.raises(bg.JobCancelled, match=f"job {job.id} "):
        job.result(60)


def test_cancel_ends_the_whole_tree_also_those_in_sessions_of_their_own(tries):
    job = running(bg.submit("tries.has_a_family"))
    family = list(map(int, job.log().split()))
    assert len(family) == 4
    assert all(map(is_alive, family))
    job.cancel(grace=0.3)
    assert not [pid for pid in family if is_alive(pid)]
    assert job.state == "cancelled"


def timed_out(method):
    """A job whose time ran out after it had begun; on a slow machine it needs more time."""
    for timeout in (1, 5, 25):
        job = bg.submit(f"tries.{method}", timeout=timeout).wait(60)
        if job.log().startswith(("sleeping", "deaf")):
            break
    return job


@pytest.mark.crash
def test_an_attempt_that_ignores_the_end_of_its_time_is_killed(tries_alone):
    tries_alone.allow({"tries": TRIES}, BackgroundJobs__kill_grace_seconds=0.2, BackgroundJobs__idle_seconds=0.1)
    [attempt] = timed_out("is_deaf").attempts
    assert (attempt.outcome, attempt.signal) == ("timeout", 9)


def test_a_job_that_ignores_all_requests_is_killed(tries):
    job = running(bg.submit("tries.is_deaf"))
    job.cancel(grace=0.2)
    [attempt] = job.attempts
    assert (job.state, attempt.outcome, attempt.signal) == ("cancelled", "cancelled", 9)


@pytest.mark.parametrize("method", ["finishes_when_interrupted", "later_finishes_when_interrupted", "has_a_handler_of_its_own"])
def test_a_job_that_returns_after_it_was_cancelled_is_cancelled_and_its_value_is_kept(tries, method):
    job = running(bg.submit(f"tries.{method}"))
    after = bg.submit("tries.sleeps", {"seconds": 0}, after=[job])
    job.cancel()
    with pytest.raises(bg.JobCancelled) as caught:
        job.result(60)
    assert caught.value.value == "finished"
    assert (job.state, outcomes(job)) == ("cancelled", ["cancelled"])
    assert (after.wait(60).state, after.attempts) == ("failed", [])


@pytest.mark.parametrize(("method", "value"), [("finishes_when_interrupted", "finished"), ("leaves_when_interrupted", None)])
def test_a_job_that_returns_after_its_time_has_run_out_has_failed_and_its_value_is_kept(tries, method, value):
    job = timed_out(method)
    assert (job.state, outcomes(job)) == ("failed", ["timeout"])
    with pytest.raises(bg.JobTimeout) as caught:
        job.result(60)
    assert caught.value.value == value


def test_a_job_that_was_complete_before_it_was_cancelled_has_succeeded(tries_alone):
    """Its method has returned; what keeps the process is a thread."""
    job = running(bg.submit("tries.leaves_a_thread"))
    folder = tries_alone.state / "jobs" / job.uid / "1"
    until((folder / "outcome.json").exists, "its outcome")
    job.cancel(grace=0.2)
    assert job.result(60) == "complete"
    assert (job.state, outcomes(job)) == ("succeeded", ["succeeded"])


def test_a_job_that_interrupts_itself_and_returns_has_succeeded(tries):
    job = bg.submit("tries.interrupts_itself")
    assert job.result(60) == "finished"


def test_a_cancelled_job_is_never_retried(tries_alone):
    job = running(bg.submit("tries.sleeps", retry=AT_ONCE))
    job.cancel()
    until(lambda: not tries_alone.processes(), "the end of the supervisor, which has nothing left to do")
    assert (job.state, outcomes(job)) == ("cancelled", ["cancelled"])


def test_a_job_that_waits_for_its_retry_can_be_cancelled(runs):
    job = bg.submit("tries.works_on_run", {"folder": str(runs), "run": 2}, retry={"max_attempts": 2, "delay_seconds": 300})
    until(lambda: job.attempts and job.attempts[0].outcome, "the first failure")
    job.cancel()
    assert (job.state, outcomes(job)) == ("cancelled", ["error"])
    with pytest.raises(bg.JobCancelled):
        job.result(60)


def test_a_job_that_has_ended_can_not_be_cancelled(tries):
    job = bg.submit("tries.sleeps", {"seconds": 0}).wait(60)
    with pytest.raises(bg.InvalidRequest, match=f"job {job.id} has already succeeded"):
        job.cancel()
    cancelled = bg.submit("tries.sleeps", delay="1h").cancel()
    with pytest.raises(bg.InvalidRequest, match=r"was already cancelled"):
        cancelled.cancel()


@pytest.mark.parametrize("grace", [-1, "soon", float("nan")])
def test_a_wrong_grace_is_refused_and_the_job_goes_on(tries, grace):
    job = bg.submit("tries.sleeps", {"seconds": 0}, delay="1h")
    with pytest.raises(bg.InvalidParameters, match="grace must be"):
        job.cancel(grace=grace)
    assert job.state == "queued"
    job.cancel()


def test_a_grace_may_be_text(tries):
    job = running(bg.submit("tries.is_deaf"))
    assert job.cancel(grace="200ms").state == "cancelled"


def test_a_job_can_be_cancelled_the_moment_it_was_submitted(tries):
    jobs = [bg.submit("tries.sleeps", retry=AT_ONCE).cancel() for _ in range(5)]
    assert [job.state for job in jobs] == ["cancelled"] * 5


def test_a_list_is_cancelled_whole_trees_waiting_ones_and_all(control):
    done = bg.submit("control.note").wait(60)
    families = [running(bg.submit("control.has_a_family", retry=AT_ONCE)) for _ in range(2)]
    clean = running(bg.submit("control.cleans_up", {"name": "clean"}, retry=AT_ONCE))
    queued, delayed = bg.submit("control.note", after=clean), bg.submit("control.note", {"name": "never"}, delay="1h")
    pids = [int(pid) for job in families for pid in job.log().split()]
    assert len(pids) == 6
    assert all(map(is_alive, pids))
    jobs = JobList([done, *families, clean, delayed])
    assert jobs.cancel(grace="300ms") == [*families, clean, delayed]
    assert not [pid for pid in pids if is_alive(pid)]
    assert [job.state for job in jobs] == ["succeeded"] + ["cancelled"] * 4
    assert [outcomes(job) for job in jobs[1:]] == [["cancelled"]] * 3 + [[]]
    assert (control.runs("clean.cleaned"), control.runs("never")) == (1, 0)
    assert queued.wait(60).state == "failed"


def test_a_list_of_jobs_of_which_one_ends_with_another_is_cancelled_all_the_same(control):
    first = bg.submit("control.note", delay="1h")
    jobs = JobList([first, *(bg.submit("control.note", after=first) for _ in range(40))])
    control.probe()
    try:
        jobs.cancel()
        assert {job.state for job in jobs} <= {"cancelled", "failed"}
    finally:
        jobs.wait(60)


@pytest.mark.crash
def test_a_group_is_cancelled_though_the_supervisor_is_killed_meanwhile(control):
    control.configure(queues={"default": 2, "probe": 1})
    group = bg.submit_many("control.is_deaf", [{"name": f"deaf {n}"} for n in range(4)], retry=AT_ONCE)
    for job in group.jobs[:2]:
        running(job)
    with ThreadPoolExecutor(1) as pool:
        cancelled = pool.submit(group.cancel, "500ms")
        until(lambda: group.jobs[3].state == "cancelled", "the answer for those that wait")
        control.crash()
        assert cancelled.result(60) == group
    assert group.counts == {"cancelled": 4}
    assert [outcomes(job) for job in group] == [["cancelled"]] * 2 + [[]] * 2
    assert [job.attempts[0].signal for job in group.jobs[:2]] == [9, 9]


def test_a_group_that_has_ended_is_cancelled_without_a_word(control):
    group = bg.submit_many("control.note", [{}]).wait(60)
    assert group.cancel().counts == {"succeeded": 1}


def test_jobs_are_cancelled_from_a_terminal(control, capsys):
    jobs = [running(bg.submit("control.cleans_up", {"name": name})) for name in ("a", "b")]
    assert main(["cancel", *(str(job.id) for job in jobs), "--grace", "20s"]) == 0
    assert [line.split(" · ")[2] for line in capsys.readouterr().out.splitlines()] == ["cancelled"] * 2
    assert (control.runs("a.cleaned"), control.runs("b.cleaned")) == (1, 1)


@pytest.mark.crash
@pytest.mark.own_place
@pytest.mark.parametrize("finish", [False, True], ids=["interrupted", "finished in spite of it"])
def test_a_process_that_can_not_be_ended_is_reported(control, capsys, finish):
    """The supervisor can't signal one process, as if it were another user's."""
    supervisor = driven(
        control.place,
        f"""
        from ipybgjobs.system import tree
        def send(states, number, send=tree.send):
            with open({str(control.place.code / "left")!r}) as file:
                left = int(file.read())
            send([state for state in states if state.pid != left], number)
        tree.send = send
        """,
    )
    job = running(bg.submit("control.leaves_one", {"finish": finish}))
    left = int((control.place.code / "left").read_text())
    try:
        assert main(["cancel", str(job.id), "--grace", "0.3"]) == 0
        assert is_alive(left)
    finally:
        os.kill(left, signal.SIGKILL)
    said = f"could not be killed: PID {left}"
    state, error = "cancelled", f"cancelled; {said}"
    assert (job.state, job.error, job.attempts[0].error) == (state, error, error)
    assert finish or said in capsys.readouterr().out
    until(lambda: said in control.place.log(), "the log")
    assert "None" not in control.place.log()
    assert supervisor.wait(60) == 0
