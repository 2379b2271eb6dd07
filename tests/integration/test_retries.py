"""Retries by rule: which failures are followed by another attempt, and when; a wait that runs out."""

import time

import pytest

import ipybgjobs as bg
from support.attempts import AT_ONCE, TRIES, gaps, outcomes
from support.place import running, until

pytestmark = pytest.mark.shared_place

# -- retries by rule ----------------------------------------------------------------------------------------------------


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


@pytest.mark.crash
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


@pytest.mark.crash
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


@pytest.mark.crash
def test_an_entry_of_the_allowlist_has_settings_of_its_own(tries_alone, runs_alone):
    entry = {"allowed_methods": TRIES, "max_attempts": 2, "delay_seconds": 0, "queue": "slow", "timeout": "1s"}
    tries_alone.allow({"tries": entry}, BackgroundJobs__queues={"slow": 1}, RetryPolicy__max_attempts=5)
    failing = bg.submit("tries.works_on_run", {"folder": str(runs_alone), "run": 99}).wait(60)
    assert (failing.queue, outcomes(failing)) == ("slow", ["error"] * 2)
    late = bg.submit("tries.sleeps", retry=1).wait(60)
    assert outcomes(late) == ["timeout"]
    patient = bg.submit("tries.sleeps", {"seconds": 1.2}, timeout=60, queue="default").wait(60)
    assert (patient.queue, patient.state) == ("default", "succeeded")


def test_a_job_that_waits_for_its_retry_takes_no_slot_and_no_process(tries_alone, runs_alone):
    tries_alone.allow({"tries": TRIES}, BackgroundJobs__queues={"default": 1})
    waiting = bg.submit(
        "tries.works_on_run", {"folder": str(runs_alone), "run": 2}, retry={"max_attempts": 2, "delay_seconds": 300}
    )
    until(lambda: waiting.attempts and waiting.attempts[0].outcome, "the first failure")
    assert bg.submit("tries.sleeps", {"seconds": 0}).wait(60).state == "succeeded"

    def roles():  # the origin of the attempts is looked for meanwhile
        return sorted(line.split()[2] for line in tries_alone.processes().values())

    until(lambda: roles() == ["forkserver", "supervisor"], "the two processes that stay")
    waiting.cancel()


# -- waiting ------------------------------------------------------------------------------------------------------------


def test_a_wait_that_runs_out_leaves_the_job_alone(tries):
    job = running(bg.submit("tries.sleeps"))
    with pytest.raises(TimeoutError, match=rf"job {job.id} did not finish within 0\.1 s; it is still running"):
        job.wait(0.1)
    with pytest.raises(TimeoutError):
        job.result(timeout=0)
    assert job.state == "running"
    job.cancel()
