"""Retries by rule: which failures are followed by another attempt, and when; a wait that runs out."""

import contextlib
import io
import json
import threading
import time

import pytest

import ipybgjobs as bg
from ipybgjobs.client.jobs.job_list import JobList
from ipybgjobs.commands.cli import main
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


class _Told(io.StringIO):
    """What a wait prints: the next attempts begin once something was said, and could have been said again."""

    def __init__(self, *jobs):
        super().__init__()
        self._retry = threading.Timer(1.5, JobList(jobs).retry)  # a wait looks each second

    def write(self, text):
        if not self.getvalue():
            self._retry.start()
        return super().write(text)


@pytest.mark.crash
def test_result_says_in_one_line_when_the_next_attempt_is(runs):
    job = bg.submit("tries.works_on_run", {"folder": str(runs), "run": 2}, retry={"max_attempts": 2, "delay_seconds": 300})
    with contextlib.redirect_stdout(_Told(job)) as told:
        assert job.result(60) == 2
    [line] = told.getvalue().splitlines()
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
        return sorted(line.partition("/start.py ")[2].split()[0] for line in tries_alone.processes().values())

    try:
        until(lambda: roles() == ["forkserver", "supervisor"], "the two processes that stay")
    finally:
        waiting.cancel()


# -- where nobody has asked for retries ---------------------------------------------------------------------------------


@pytest.fixture
def unasked(tries_alone):
    """A place whose configuration says nothing of retries."""
    tries_alone.allow({"tries": TRIES}, retries=False)
    return tries_alone


@pytest.mark.parametrize(
    ("target", "params", "error"),
    [
        ("fails_as", {"error": "ValueError"}, ValueError),
        ("fails_as", {"error": "ZeroDivisionError"}, ZeroDivisionError),
        ("fails_as", {"error": "PermissionError"}, PermissionError),
        ("fails_as", {"error": "SystemExit"}, SystemExit),
        ("opens", {"path": "/no/such/file"}, FileNotFoundError),
        ("asks_a_user", {}, EOFError),
    ],
)
def test_a_mistake_arrives_at_once(unasked, target, params, error):
    job = bg.submit(f"tries.{target}", params)
    began = time.monotonic()
    with pytest.raises(error):
        job.result(60)
    assert time.monotonic() - began < 30
    assert (job.state, outcomes(job)) == ("failed", ["error"])
    assert job.record().allowed_attempts == 3


def test_a_time_out_of_an_attempt_ends_the_job(unasked):
    job = bg.submit("tries.sleeps", timeout=0.5).wait(60)
    assert (job.state, outcomes(job)) == ("failed", ["timeout"])


@pytest.mark.parametrize(
    ("target", "params", "error"),
    [
        ("fails_as", {"error": "ConnectionError"}, "ConnectionError: on purpose"),
        ("fails_as", {"error": "TimeoutError"}, "TimeoutError: on purpose"),
        ("fails_as", {"error": "Flaky"}, "Flaky: flaky"),
        ("vanishes", {}, "the process was killed by signal 9 (SIGKILL)"),
    ],
)
def test_what_may_pass_by_itself_is_retrying(unasked, target, params, error):
    job = bg.submit(f"tries.{target}", params)
    until(lambda: job.state == "retrying", "a retry")
    assert job.error.startswith(error)
    assert len(outcomes(job)) == 1
    due = time.strftime("%H:%M:%S", time.localtime(job.attempts[0].ended_at + 60))
    assert job.status == f"retrying, attempt 2 of 3 at {due}"
    assert (bg.jobs(state="retrying"), bg.jobs(state="queued")) == ([job], [])
    job.cancel()
    assert bg.jobs(state="retrying") == []


@pytest.mark.parametrize(
    "asked", [2, {"max_attempts": 2}, {"never_retry": []}, {"delay_seconds": 300}, {"retry_on": ["ValueError"]}]
)
def test_each_setting_that_asks_for_retries_makes_every_exception_count(unasked, asked):
    job = bg.submit("tries.fails_as", {"error": "ValueError"}, retry=asked)
    until(lambda: job.state == "retrying", "a retry")
    job.cancel()


@pytest.mark.parametrize("shape", [{"backoff_factor": 3}, {"max_delay_seconds": 5}, {"jitter": 0.5}, {}])
def test_a_setting_that_only_shapes_delays_asks_for_no_retry(unasked, shape):
    job = bg.submit("tries.fails_as", {"error": "ValueError"}, retry=shape).wait(60)
    assert outcomes(job) == ["error"]
    again = job.retry({"error": "KeyError"}).wait(60)
    assert (outcomes(again), again.record().retry_settings) == (["error"], job.record().retry_settings)


def test_a_file_or_an_entry_may_ask_for_retries(unasked):
    for entry, settings in (
        ({"allowed_methods": TRIES, "max_attempts": 2}, {}),
        (TRIES, {"RetryPolicy__never_retry": ["KeyError"]}),
    ):
        unasked.allow({"tries": entry}, retries=False, **settings)
        job = bg.submit("tries.fails_as", {"error": "ValueError"})
        until(lambda job=job: job.state == "retrying", "a retry")
        job.cancel()


def test_what_is_asked_for_in_a_submit_wins_over_a_file_that_says_nothing(unasked):
    job = bg.submit("tries.fails_as", {"error": "ConnectionError"}, retry=1).wait(60)
    assert outcomes(job) == ["error"]


# -- a job that is retrying ---------------------------------------------------------------------------------------------

FAR = {"max_attempts": 3, "delay_seconds": 300}


def retrying(runs, **options):
    job = bg.submit("tries.works_on_run", {"folder": str(runs), "run": 2}, retry=FAR, **options)
    until(lambda: job.state == "retrying", "a retry")
    return job


def test_a_retry_by_hand_starts_a_retrying_job_now(runs):
    job = retrying(runs)
    assert job.retry() == job
    assert job.result(60) == 2
    assert (outcomes(job), job.record().allowed_attempts) == (["error", "succeeded"], 3)


@pytest.mark.own_place
def test_a_retrying_job_that_is_retried_by_hand_is_queued(tries_alone, runs_alone):
    job = retrying(runs_alone)
    bg.pause()
    job.retry()
    assert (job.state, bg.jobs(state="retrying"), bg.jobs(state="queued")) == ("queued", [], [job])
    assert job.status.startswith("queued, held: the queue default is paused")
    bg.resume()
    assert job.result(60) == 2


def test_a_retrying_job_keeps_its_unique_key_when_it_is_retried_by_hand(runs):
    job = retrying(runs, unique="only one")
    with pytest.raises(bg.DuplicateJob):
        bg.submit("tries.sleeps", unique="only one")
    assert job.retry().result(60) == 2


def test_lists_and_the_command_line_change_retrying_jobs_as_waiting_ones(runs, capsys):
    job = retrying(runs)
    assert main(["list", "--state", "retrying"]) == 0
    assert f"job {job.id} · tries.works_on_run" in capsys.readouterr().out
    assert main(["list", "--state", "queued", "--json"]) == 0
    assert job.id not in [each["id"] for each in json.loads(capsys.readouterr().out)]
    assert main(["show", str(job.id), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["state"], shown["error"]) == ("retrying", "RuntimeError: run 1")
    assert bg.jobs(state="retrying").set_priority(3) == [job]
    with pytest.raises(
        bg.InvalidRequest, match=rf"job {job.id} is retrying; only a finished job can be removed: cancel it first"
    ):
        job.remove()
    assert bg.jobs(state="retrying").cancel() == [job]
    assert (job.state, job.error) == ("cancelled", "RuntimeError: run 1")
    job.remove()


def test_a_job_is_not_elapsed_while_it_waits_for_a_retry(runs):
    job = bg.submit("tries.works_on_run", {"folder": str(runs), "run": 2}, retry={"max_attempts": 2, "delay_seconds": 1.5})
    assert job.result(60) == 2
    took = sum(attempt.ended_at - attempt.started_at for attempt in job.attempts)
    assert job.record().elapsed(time.time()) == pytest.approx(took, abs=0.3)
    assert gaps(job)[0] >= 1.5


def test_who_waits_for_several_jobs_is_told_of_retries(runs):
    group = bg.submit_many("tries.works_on_run", [{"folder": str(runs), "run": 2}], retry=FAR)
    until(lambda: group.counts == {"retrying": 1}, "a retry")
    clock = time.strftime("%H:%M:%S", time.localtime(group.jobs[0].record().not_before))
    assert repr(group).endswith(f"1 jobs: 1 retrying, next at {clock}: RuntimeError: run 1>")
    with pytest.raises(TimeoutError, match=rf"1 retrying, next at {clock}: RuntimeError: run 1; not all of them finished"):
        group.wait(0.1)
    other = running(bg.submit("tries.sleeps"))
    with pytest.raises(
        TimeoutError, match=rf"2 jobs did not finish within 0.1 s: 1 retrying, next at {clock}: RuntimeError: run 1, 1 ru"
    ):
        JobList([*group.jobs, other]).results(0.1)
    with contextlib.redirect_stdout(_Told(*group.jobs)) as told:
        assert group.results(60) == [2]
    assert told.getvalue() == f"group {group.id}: 1 job is retrying, next at {clock}: RuntimeError: run 1\n"
    other.cancel()


def test_as_completed_and_the_results_of_a_list_tell_of_retries(tries, tmp_path):
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        folder.mkdir()
    jobs = JobList(bg.submit("tries.works_on_run", {"folder": str(each), "run": 2}, retry=FAR) for each in folders)
    until(lambda: all(job.state == "retrying" for job in jobs), "retries")
    clock = time.strftime("%H:%M:%S", time.localtime(min(job.record().not_before for job in jobs)))
    with contextlib.redirect_stdout(_Told(*jobs)) as told:
        assert jobs.results(60) == [2, 2]
    assert told.getvalue() == f"2 jobs are retrying, next at {clock}: RuntimeError: run 1\n"


# -- waiting ------------------------------------------------------------------------------------------------------------


def test_a_wait_that_runs_out_leaves_the_job_alone(tries):
    job = running(bg.submit("tries.sleeps"))
    with pytest.raises(TimeoutError, match=rf"job {job.id} did not finish within 0\.1 s; it is still running"):
        job.wait(0.1)
    with pytest.raises(TimeoutError):
        job.result(timeout=0)
    assert job.state == "running"
    job.cancel()
