"""Jobs that have failed or were cancelled are retried when somebody asks for it, with the same parameters or others."""

import functools
import subprocess
import sys

import pandas as pd
import pytest

import ipybgjobs as bg
from support.attempts import outcomes
from support.cleanup import everything, one_sentence, store
from support.place import running

pytestmark = pytest.mark.shared_place

# -- retries by hand ----------------------------------------------------------------------------------------------------


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
    before = bg.submit("tries.sleeps", delay="1h")
    job = bg.submit("tries.sleeps", {"seconds": 0.1}, after_any=before)
    with pytest.raises(
        bg.InvalidRequest, match=rf"job {job.id} can't be retried \(queued\); only a failed, cancelled or retrying job"
    ):
        job.retry()
    before.cancel()
    running(job)
    with pytest.raises(bg.InvalidRequest, match=rf"job {job.id} can't be retried \((running|succeeded)\); only a failed"):
        job.retry()
    job.wait(60)
    with pytest.raises(bg.InvalidRequest, match=r"\(succeeded\); only a failed, cancelled or retrying job can: submit it again"):
        job.retry()
    assert outcomes(job) == ["succeeded"]


SECOND_TIME = """
import os
def run(marker):
    open(marker, "a").write("x")
    assert len(open(marker).read()) > 1
    return os.getcwd()
"""


def test_a_retry_from_another_folder_runs_where_the_job_was_submitted(place, tmp_path):
    place.module("counted", SECOND_TIME)
    place.allow({"counted": ["run"]})
    submit = f"import ipybgjobs as bg; print(bg.submit('counted.run', {{'marker': {str(tmp_path / 'marker')!r}}}).wait(60).id)"
    run = functools.partial(subprocess.run, check=True, capture_output=True, text=True, env=place.environment)
    job = bg.job(int(run([sys.executable, "-c", submit], cwd=place.code).stdout))
    assert "AssertionError" in job.error
    run([sys.executable, "-m", "ipybgjobs", "retry", str(job.id)], cwd=tmp_path)
    assert job.result(60) == str(place.code)


# -- retry by hand ------------------------------------------------------------------------------------------------------


@pytest.mark.crash
@pytest.mark.own_place
def test_a_retry_with_other_parameters_is_a_new_job_with_the_same_options(calc):
    options = {"name": "mine", "queue": "gpu", "priority": 7, "timeout": "5m", "retry": {"max_attempts": 2, "delay_seconds": [0]}}
    data = pd.DataFrame({"x": [1, 2]})
    old = bg.submit("calc.needs", {"lr": 0.5, "data": data, "token": "s3cret-token"}, **options).wait(60)
    assert (old.state, len(old.attempts)) == ("failed", 2)
    new = old.retry(params={"lr": 2})
    assert new.result(60) == [2, 2, 12]
    assert (new.id, new.retried_from, old.retried_from) == (2, 1, None)
    columns = "name, queue, priority, timeout, rules, allowed_attempts"
    assert store(calc, f"SELECT {columns} FROM jobs WHERE id = 2") == store(calc, f"SELECT {columns} FROM jobs WHERE id = 1")
    assert (new.params["lr"], new.params["token"]) == (2, "s3cret-token")
    pd.testing.assert_frame_equal(new.params["data"], data)
    assert "s3cret" not in repr(new) + calc.log()
    assert (old.state, len(old.attempts), old.params["lr"]) == ("failed", 2, 0.5)


@pytest.mark.crash
@pytest.mark.own_place
def test_a_retry_with_other_parameters_keeps_the_constructor_and_replaces_pickled_ones(calc):
    data = pd.DataFrame({"x": [1, 2]})
    old = bg.submit("calc.Model.fit", {"data": data}, init={"depth": 4})
    assert old.result(60) == [4, 0.1, 3]
    assert old.retry(params={"lr": 0.5}).result(60) == [4, 0.5, 3]
    assert old.retry(params={"data": pd.DataFrame({"x": [9]})}).result(60) == [4, 0.1, 9]
    assert old.retry(params={"data": None}).result(60) == [4, 0.1, None]
    assert old.retry(params={}).result(60) == [4, 0.1, 3]
    old.remove()
    assert [job.retried_from for job in bg.jobs()] == [1] * 4


def test_a_retry_with_other_parameters_keeps_the_unique_key(calc):
    old = bg.submit("calc.needs", {"lr": 0.5}, unique="nightly").wait(60)
    holder = running(bg.submit("calc.nap", unique="nightly"))
    with pytest.raises(bg.DuplicateJob, match=f"job {holder.id}"):
        old.retry(params={"lr": 2})
    holder.cancel()
    assert old.retry(params={"lr": 2}).result(60) == [2, None, 0]


@pytest.mark.own_place
def test_a_retry_with_other_parameters_comes_after_the_same_jobs(calc):
    bg.pause()
    first = bg.submit("calc.once", {"marker": str(calc.root / "marker")})
    second = bg.submit("calc.add", {"a": 2}, after=first)
    bg.resume()
    assert second.wait(60).state == "failed"
    with pytest.raises(bg.InvalidRequest, match="job 2 depends on job 1, which did not succeed: retry job 1 first"):
        second.retry(params={"a": 3})
    first.retry()
    third = second.retry(params={"a": 3})
    assert third.after == [first.id]
    assert (first.result(60), third.result(60)) == ("second run", 3)
    first.remove()
    assert second.retry(params={"a": 4}).result(60) == 4


def test_a_running_job_is_tried_again_in_no_way(calc):
    job = running(bg.submit("calc.nap"))
    waiting = bg.submit("calc.add", {"a": 1}, delay="1h")
    before = everything(calc)
    for each in (job, waiting):
        for params in (None, {"seconds": 1}):
            with pytest.raises(bg.InvalidRequest) as error:
                each.retry(params=params)
            assert f"job {each.id} can't be retried ({each.state})" in one_sentence(str(error.value))
            assert "cancel" in str(error.value)
    assert everything(calc) == before
    job.cancel()
    waiting.cancel()


@pytest.mark.own_place
def test_other_parameters_that_do_not_fit_are_refused(calc):
    job = bg.submit("calc.needs", {"lr": 0.5}).wait(60)
    for params in ({"rate": 1}, {"lr": "fast"}, {"lr": None}, ["lr"], "lr=2"):
        with pytest.raises(bg.InvalidParameters) as error:
            job.retry(params=params)
        one_sentence(str(error.value))
    assert len(bg.jobs()) == 1
    assert len(job.attempts) == 1


@pytest.mark.own_place
def test_a_job_that_has_succeeded_is_not_tried_again_without_a_change(calc):
    job = bg.submit("calc.add", {"a": 1}).wait(60)
    with pytest.raises(bg.InvalidRequest) as error:
        job.retry()
    assert "job 1 can't be retried (succeeded)" in one_sentence(str(error.value))
    assert job.retry(params={"a": 5}).result(60) == 5
