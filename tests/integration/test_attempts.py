"""Attempts: retries by rule and by hand, time-outs, cancelling, slots, priorities and delays."""

import itertools
import pathlib
import time

import pytest

import ipybgjobs as bg
from support.jobs import functions
from support.place import running, until

NAMES = functions("tries")

#: Retry at once.
AT_ONCE = {"max_attempts": 3, "delay_seconds": 0}


@pytest.fixture
def tries(place):
    place.module("tries")
    place.allow({"tries": NAMES}, BackgroundJobs__idle_seconds=0.1)
    return place


@pytest.fixture
def runs(tries):
    """A folder with one file for each run of a job."""
    folder = tries.root / "runs"
    folder.mkdir()
    return folder


def is_alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def outcomes(job):
    return [attempt.outcome for attempt in job.attempts]


def gaps(job):
    """Seconds between the end of an attempt and the start of the next."""
    attempts = job.attempts
    return [after.started_at - before.ended_at for before, after in itertools.pairwise(attempts)]


# -- retries by rule --------------------------------------------------------------------------------------------------


def test_a_job_that_fails_once_is_tried_again_by_rule(runs):
    job = bg.submit("tries.works_on_run", {"folder": str(runs), "run": 2}, retry=AT_ONCE)
    assert job.result(60) == 2
    assert outcomes(job) == ["error", "succeeded"]
    assert [attempt.number for attempt in job.attempts] == [1, 2]
    assert [attempt.error for attempt in job.attempts] == ["RuntimeError: run 1", None]
    assert job.error is None


def test_a_job_that_waits_for_its_retry_shows_the_last_failure_and_the_time(runs):
    job = bg.submit("tries.works_on_run", {"folder": str(runs), "run": 2}, retry={"max_attempts": 3, "delay_seconds": 300})
    until(lambda: job.attempts and job.attempts[0].outcome, "the first failure")
    assert job.error == "RuntimeError: run 1"
    due = time.localtime(job.attempts[0].ended_at + 300)
    assert job.status == f"retrying, attempt 2 of 3 at {time.strftime('%H:%M:%S', due)}"
    assert f"retrying, attempt 2 of 3 at {time.strftime('%H:%M:%S', due)} · " in repr(job)
    assert "RuntimeError: run 1" in job.traceback
    job.cancel()


def test_result_says_in_one_line_when_the_next_attempt_is(runs, capsys):
    job = bg.submit("tries.works_on_run", {"folder": str(runs), "run": 2}, retry={"max_attempts": 2, "delay_seconds": 2})
    assert job.result(60) == 2
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith(f"job {job.id}: RuntimeError: run 1; retrying, attempt 2 of 2 at ")


def test_max_attempts_counts_the_first_run_too(runs):
    job = bg.submit("tries.works_on_run", {"folder": str(runs), "run": 99}, retry=AT_ONCE)
    with pytest.raises(RuntimeError, match="run 3"):
        job.result(60)
    assert (job.state, outcomes(job)) == ("failed", ["error"] * 3)
    assert len(list(runs.iterdir())) == 3


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"delay_seconds": [0.1, 0.6]}, [0.1, 0.6, 0.6]),
        ({"delay_seconds": 0.1, "backoff_factor": 3}, [0.1, 0.3, 0.9]),
        ({"delay_seconds": "100ms", "backoff_factor": 100, "max_delay_seconds": 0.5}, [0.1, 0.5, 0.5]),
    ],
)
def test_each_delay_is_kept(runs, rule, expected):
    job = bg.submit("tries.works_on_run", {"folder": str(runs), "run": 4}, retry={"max_attempts": 4, **rule})
    assert job.result(60) == 4
    assert all(least <= gap < least + 5 for gap, least in zip(gaps(job), expected, strict=True)), gaps(job)


@pytest.mark.parametrize(
    ("error", "rule", "attempts"),
    [
        ("TypeError", {}, 1),
        ("ModuleNotFoundError", {}, 1),
        ("TypeError", {"never_retry": []}, 2),
        ("ValueError", {"never_retry": [ValueError]}, 1),
        ("UnicodeError", {"never_retry": ["ValueError"]}, 1),
        ("ValueError", {"retry_on": ["OSError"]}, 1),
        ("Flaky", {"retry_on": ["OSError"]}, 2),
        ("Flaky", {"retry_on": ["tries.Flaky"]}, 2),
        ("Flaky", {"never_retry": ["Flaky"]}, 1),
    ],
)
def test_the_rules_say_which_errors_are_tried_again(runs, error, rule, attempts):
    job = bg.submit("tries.works_on_run", {"folder": str(runs), "run": 2, "error": error}, retry=AT_ONCE | rule).wait(60)
    assert len(job.attempts) == attempts
    assert job.state == ("succeeded" if attempts == 2 else "failed")


@pytest.mark.parametrize(("after", "least"), [(0.5, 0.5), ("400ms", 0.4), (0, 0)])
def test_a_job_may_say_when_it_is_to_be_tried_again(runs, after, least):
    rule = {"max_attempts": 2, "delay_seconds": 300}
    job = bg.submit("tries.asks_again", {"folder": str(runs), "after": after}, retry=rule)
    assert job.result(60) == 2
    assert job.attempts[0].error == "Retry: not there yet"
    assert least <= gaps(job)[0] < least + 5


@pytest.mark.parametrize("after", [None, "soon", -1])
def test_a_job_that_does_not_say_when_waits_as_the_policy_says(runs, after):
    rule = {"max_attempts": 2, "delay_seconds": 0.3, "never_retry": ["Retry"]}
    job = bg.submit("tries.asks_again", {"folder": str(runs), "after": after}, retry=rule)
    assert job.result(60) == 2
    assert gaps(job)[0] >= 0.3


def test_a_job_that_asks_again_gets_no_more_attempts_than_allowed(runs):
    job = bg.submit("tries.asks_again", {"folder": str(runs), "after": 0}, retry=1)
    with pytest.raises(bg.Retry, match="not there yet"):
        job.result(60)
    assert len(job.attempts) == 1


def test_a_job_may_say_that_it_is_no_use(tries):
    job = bg.submit("tries.gives_up", retry=AT_ONCE)
    with pytest.raises(bg.Fail, match="no use"):
        job.result(60)
    assert (job.error, outcomes(job)) == ("Fail: no use", ["error"])


def test_an_entry_of_the_allowlist_has_settings_of_its_own(tries, runs):
    entry = {"allowed_methods": NAMES, "max_attempts": 2, "delay_seconds": 0, "queue": "slow", "timeout": "1s"}
    tries.allow({"tries": entry}, BackgroundJobs__queues={"slow": 1}, RetryPolicy__max_attempts=5)
    failing = bg.submit("tries.works_on_run", {"folder": str(runs), "run": 99}).wait(60)
    assert (failing.queue, outcomes(failing)) == ("slow", ["error"] * 2)
    late = bg.submit("tries.sleeps", retry=1).wait(60)
    assert outcomes(late) == ["timeout"]
    patient = bg.submit("tries.sleeps", {"seconds": 1.2}, timeout=60, queue="default").wait(60)
    assert (patient.queue, patient.state) == ("default", "succeeded")


def test_a_job_that_waits_for_its_retry_takes_no_slot_and_no_process(tries, runs):
    tries.allow({"tries": NAMES}, BackgroundJobs__queues={"default": 1})
    waiting = bg.submit("tries.works_on_run", {"folder": str(runs), "run": 2}, retry={"max_attempts": 2, "delay_seconds": 300})
    until(lambda: waiting.attempts and waiting.attempts[0].outcome, "the first failure")
    assert bg.submit("tries.sleeps", {"seconds": 0}).wait(60).state == "succeeded"

    def roles():  # the origin of the attempts is looked for meanwhile
        return sorted(line.split()[2] for line in tries.processes().values())

    until(lambda: roles() == ["forkserver", "supervisor"], "the two processes that stay")
    waiting.cancel()


# -- retries by hand --------------------------------------------------------------------------------------------------


def test_a_failed_job_can_be_retried_by_hand_once_for_each_asking(runs):
    job = bg.submit("tries.works_on_run", {"folder": str(runs), "run": 3}, retry=1).wait(60)
    assert job.state == "failed"
    assert job.retry().wait(60).state == "failed"
    assert job.retry() is job
    assert job.result(60) == 3
    assert outcomes(job) == ["error", "error", "succeeded"]
    assert job.error is None


def test_an_error_of_the_code_can_be_retried_by_hand(runs):
    job = bg.submit("tries.works_on_run", {"folder": str(runs), "run": 2, "error": "TypeError"}).wait(60)
    assert job.retry().result(60) == 2


def test_a_job_that_was_cancelled_while_it_ran_can_be_retried_by_hand(runs):
    job = running(bg.submit("tries.sleeps_on_its_first_run", {"folder": str(runs)})).cancel()
    assert job.retry().result(60) == "rested"
    assert outcomes(job) == ["cancelled", "succeeded"]


def test_a_job_that_was_cancelled_before_it_started_can_be_retried_by_hand(tries):
    job = bg.submit("tries.sleeps", {"seconds": 0}, delay="1h").cancel()
    assert job.retry().wait(60).state == "succeeded"
    assert [attempt.number for attempt in job.attempts] == [1]


def test_only_a_job_that_failed_or_was_cancelled_can_be_retried_by_hand(tries):
    job = bg.submit("tries.sleeps", {"seconds": 0.1}, delay=0.5)
    with pytest.raises(bg.InvalidRequest, match=f"job {job.id} is queued; only one that failed or was cancelled"):
        job.retry()
    running(job)
    with pytest.raises(bg.InvalidRequest, match=f"job {job.id} is (running|succeeded); only one"):
        job.retry()
    job.wait(60)
    with pytest.raises(bg.InvalidRequest, match=r"is succeeded; only one that failed or was cancelled.*submit it again"):
        job.retry()
    assert outcomes(job) == ["succeeded"]


# -- time-outs --------------------------------------------------------------------------------------------------------


def test_an_attempt_that_takes_longer_than_its_timeout_is_ended(tries):
    job = bg.submit("tries.cleans_up", {"path": str(tries.root / "clean")}, timeout="1500ms")
    with pytest.raises(bg.JobTimeout, match=r"tries\.cleans_up.*took longer than its timeout"):
        job.result(60)
    [attempt] = job.attempts
    assert (job.state, attempt.outcome) == ("failed", "timeout")
    assert 1.5 <= attempt.ended_at - attempt.started_at < 20
    assert (tries.root / "clean").exists()
    assert "KeyboardInterrupt" in job.traceback


def test_each_attempt_has_the_whole_timeout(tries):
    job = bg.submit("tries.sleeps", timeout=0.3, retry={"max_attempts": 2, "delay_seconds": 0}).wait(60)
    assert outcomes(job) == ["timeout", "timeout"]
    assert all(attempt.ended_at - attempt.started_at >= 0.3 for attempt in job.attempts)


def test_time_spent_waiting_is_not_counted(tries):
    job = bg.submit("tries.sleeps", {"seconds": 0}, delay=1.5, timeout=1.4)
    assert job.wait(60).state == "succeeded"


# -- cancelling -------------------------------------------------------------------------------------------------------


def test_a_queued_job_that_is_cancelled_never_starts(tries):
    job = bg.submit("tries.sleeps", delay="1h")
    assert job.cancel() is job
    assert (job.state, job.attempts) == ("cancelled", [])
    with pytest.raises(bg.JobCancelled, match=f"job {job.id} .*was cancelled"):
        job.result(60)


def test_a_running_job_that_is_cancelled_can_clean_up(tries):
    job = running(bg.submit("tries.cleans_up", {"path": str(tries.root / "clean")}))
    job.cancel()
    assert (job.state, outcomes(job)) == ("cancelled", ["cancelled"])
    assert (tries.root / "clean").exists()
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


def test_an_attempt_that_ignores_the_end_of_its_time_is_killed(tries):
    tries.allow({"tries": NAMES}, BackgroundJobs__kill_grace_seconds=0.2, BackgroundJobs__idle_seconds=0.1)
    [attempt] = bg.submit("tries.is_deaf", timeout=1.5).wait(60).attempts
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
    job = bg.submit(f"tries.{method}", timeout=1.0).wait(60)
    assert (job.state, outcomes(job)) == ("failed", ["timeout"])
    with pytest.raises(bg.JobTimeout) as caught:
        job.result(60)
    assert caught.value.value == value


def test_a_job_that_was_complete_before_it_was_cancelled_has_succeeded(tries):
    """Its method has returned; what keeps the process is a thread."""
    job = running(bg.submit("tries.leaves_a_thread"))
    folder = tries.state / "jobs" / job.uid / "1"
    until((folder / "outcome.json").exists, "its outcome")
    job.cancel(grace=0.2)
    assert job.result(60) == "complete"
    assert (job.state, outcomes(job)) == ("succeeded", ["succeeded"])


def test_a_job_that_interrupts_itself_and_returns_has_succeeded(tries):
    job = bg.submit("tries.interrupts_itself")
    assert job.result(60) == "finished"


def test_a_cancelled_job_is_never_retried(tries):
    job = running(bg.submit("tries.sleeps", retry=AT_ONCE))
    job.cancel()
    until(lambda: not tries.processes(), "the end of the supervisor, which has nothing left to do")
    assert (job.state, outcomes(job)) == ("cancelled", ["cancelled"])


def test_a_job_that_waits_for_its_retry_can_be_cancelled(runs):
    job = bg.submit("tries.works_on_run", {"folder": str(runs), "run": 2}, retry={"max_attempts": 2, "delay_seconds": 1})
    until(lambda: job.attempts and job.attempts[0].outcome, "the first failure")
    job.cancel()
    assert (job.state, outcomes(job)) == ("cancelled", ["error"])
    with pytest.raises(bg.JobCancelled):
        job.result(60)


def test_a_job_that_has_ended_can_not_be_cancelled(tries):
    job = bg.submit("tries.sleeps", {"seconds": 0}).wait(60)
    with pytest.raises(bg.InvalidRequest, match=f"job {job.id} has succeeded already"):
        job.cancel()
    cancelled = bg.submit("tries.sleeps", delay="1h").cancel()
    with pytest.raises(bg.InvalidRequest, match=r"has cancelled already|was cancelled already|is cancelled already"):
        cancelled.cancel()


@pytest.mark.parametrize("grace", [-1, "soon", float("nan")])
def test_a_wrong_grace_is_refused_and_the_job_goes_on(tries, grace):
    job = bg.submit("tries.sleeps", {"seconds": 0}, delay="1h")
    with pytest.raises(bg.InvalidParameters, match="grace is"):
        job.cancel(grace=grace)
    assert job.state == "queued"
    job.cancel()


def test_a_grace_may_be_text(tries):
    job = running(bg.submit("tries.is_deaf"))
    assert job.cancel(grace="200ms").state == "cancelled"


def test_a_job_can_be_cancelled_the_moment_it_was_submitted(tries):
    jobs = [bg.submit("tries.sleeps", retry=AT_ONCE).cancel() for _ in range(5)]
    assert [job.state for job in jobs] == ["cancelled"] * 5


# -- waiting ----------------------------------------------------------------------------------------------------------


def test_a_wait_that_runs_out_leaves_the_job_alone(tries):
    job = running(bg.submit("tries.sleeps"))
    with pytest.raises(TimeoutError, match=rf"job {job.id} did not finish within 0\.1 s; it is still running"):
        job.wait(0.1)
    with pytest.raises(TimeoutError):
        job.result(timeout=0)
    assert job.state == "running"
    job.cancel()


# -- slots, priorities, delays ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("slots", [1, 3])
def test_never_more_than_a_queue_has_slots_run_at_once(tries, runs, slots):
    tries.allow({"tries": NAMES}, BackgroundJobs__queues={"default": slots}, BackgroundJobs__idle_seconds=0.1)
    jobs = [bg.submit("tries.counts_those_beside_it", {"folder": str(runs)}) for _ in range(8)]
    beside = [job.result(60) for job in jobs]
    assert max(beside) == slots


def test_a_full_queue_holds_up_no_other(tries):
    tries.allow({"tries": NAMES}, BackgroundJobs__queues={"default": 1, "gpu": 1}, BackgroundJobs__idle_seconds=0.1)
    blocking = running(bg.submit("tries.sleeps"))
    waiting = bg.submit("tries.sleeps", {"seconds": 0})
    assert bg.submit("tries.sleeps", {"seconds": 0}, queue="gpu").wait(60).state == "succeeded"
    assert (blocking.state, waiting.state) == ("running", "queued")
    blocking.cancel()
    assert waiting.wait(60).state == "succeeded"


def test_a_higher_priority_goes_first_and_then_the_oldest(tries):
    tries.allow({"tries": NAMES}, BackgroundJobs__queues={"default": 1}, BackgroundJobs__idle_seconds=0.1)
    blocking = running(bg.submit("tries.sleeps"))
    priorities = [0, -5, 10, 0, 10]
    jobs = [bg.submit("tries.sleeps", {"seconds": 0}, priority=priority) for priority in priorities]
    blocking.cancel()
    for job in jobs:
        job.wait(60)
    order = sorted(range(5), key=lambda number: jobs[number].attempts[0].started_at)
    assert order == [2, 4, 0, 3, 1]


def test_a_delayed_job_holds_up_no_other(tries):
    delayed = bg.submit("tries.sleeps", {"seconds": 0}, delay="2h", priority=9)
    assert delayed.status.startswith("queued, starts at ")
    assert bg.submit("tries.sleeps", {"seconds": 0}).wait(60).state == "succeeded"
    assert (delayed.state, delayed.attempts) == ("queued", [])
    delayed.cancel()


@pytest.mark.parametrize("delay", [0.7, "700ms"])
def test_a_delayed_job_starts_after_its_delay(tries, delay):
    submitted = time.time()
    job = bg.submit("tries.sleeps", {"seconds": 0}, delay=delay).wait(60)
    assert submitted + 0.7 <= job.attempts[0].started_at < submitted + 20


def test_how_long_one_waits_is_a_duration_as_any_and_what_is_none_is_refused(place):
    job = bg.submit("work.Trainer.sleep")
    group = bg.submit_many("work.Trainer.sleep", [{"seconds": 300.0}])
    waits = [job.wait, job.result, job.exception, bg.jobs().wait, group.wait, group.results]
    waits += [lambda timeout: list(bg.as_completed([job], timeout)), lambda timeout: list(group.as_completed(timeout))]
    for wait in waits:
        for timeout in (float("nan"), "soon", object(), True):
            with pytest.raises(bg.InvalidParameters, match=r"^timeout is .*; "):
                wait(timeout)
        for timeout in ("50ms", 0.05, -1, 0):
            with pytest.raises(TimeoutError):
                wait(timeout)
    bg.jobs().cancel()
    assert {each.wait(float("inf")).state for each in bg.jobs()} == {"cancelled"}
