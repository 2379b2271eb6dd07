"""Reuse: the same call gives the job back that has succeeded."""

import subprocess
import sys
import time

import pandas as pd
import pytest

import ipybgjobs as bg
from ipybgjobs.model import moments
from support.cleanup import DAY, age, folders, one_sentence
from support.jobs import module_text
from support.place import running


def reusing(job, capsys):
    """What tells whether it has been said since that a job is reused, and when that finished: perhaps before midnight."""
    ended = job.record().ended_at
    before = moments.show_near(ended, time.time())
    capsys.readouterr()

    def said():
        lines = capsys.readouterr().err.splitlines()
        moment = {before, moments.show_near(ended, time.time())}
        return any(f"Reusing job {job.id} (finished {each})." in lines for each in moment)

    return said


def test_the_same_call_gives_the_job_that_has_succeeded_back(calc, capsys):
    call = ("calc.Model.fit", {"lr": 0.5})
    first = bg.submit(*call, init={"depth": 2}, reuse=True)
    assert first.result(60) == [2, 0.5, None]
    said = reusing(first, capsys)
    again = bg.submit(*call, init={"depth": 2}, reuse=True, name="ignored", queue="gpu")
    assert (again, again.id) == (first, first.id)
    assert said()
    assert again.result(0) == [2, 0.5, None]
    assert len(bg.jobs()) == 1
    assert len(first.attempts) == 1
    for without in (None, False):
        assert bg.submit(*call, init={"depth": 2}, reuse=without).id != first.id
    assert bg.job(3).wait(60)
    assert bg.submit(*call, init={"depth": 2}, reuse=True).id == 3


@pytest.mark.parametrize(
    ("target", "params", "init"),
    [
        ("calc.Model.fit", {"lr": 0.6}, {"depth": 2}),
        ("calc.Model.fit", {}, {"depth": 2}),
        ("calc.Model.fit", {"lr": 0.5}, {"depth": 3}),
        ("calc.Model.fit", {"lr": 0.5}, None),
        ("calc.Model.fit", {"lr": 0.5, "data": pd.DataFrame({"x": [1]})}, {"depth": 2}),
        ("calc.fails", {"lr": 0.5}, None),
    ],
)
def test_another_parameter_constructor_or_target_is_another_job(calc, capsys, target, params, init):
    bg.submit("calc.Model.fit", {"lr": 0.5}, init={"depth": 2}).wait(60)
    assert bg.submit(target, params, init=init, reuse=True).wait(60).id == 2
    assert "reused" not in capsys.readouterr().err


def test_pickled_parameters_are_compared_by_content(calc):
    def submit(*numbers):
        return bg.submit("calc.Model.fit", {"data": pd.DataFrame({"x": list(numbers)})}, reuse=True).wait(60)

    assert [submit(1, 2).id, submit(1, 2).id, submit(1, 3).id, submit(1, 2).id, submit(1, 3).id] == [1, 1, 2, 1, 2]
    assert len(folders(calc)) == 2


def test_a_set_is_the_same_parameter_in_the_next_kernel(calc):
    """The order of a set of texts is another in each process."""
    script = "import ipybgjobs as bg; bg.submit('work.echo', {'value': set('abcdefgh')}, reuse=True).wait(60)"
    for seed in ("1", "2"):
        subprocess.run([sys.executable, "-c", script], env=calc.environment | {"PYTHONHASHSEED": seed}, cwd=calc.code, check=True)
    assert len(bg.jobs()) == 1


def test_a_changed_source_is_another_job_and_the_old_source_the_old_one(calc):
    first = bg.submit("calc.add", {"a": 1}, reuse=True)
    assert first.result(60) == 1
    calc.module("calc", module_text("calc").replace("return a + b", "return a + b + 100"))
    changed = bg.submit("calc.add", {"a": 1}, reuse=True)
    assert (changed.id, changed.result(60)) == (2, 101)
    calc.module("calc")
    assert bg.submit("calc.add", {"a": 1}, reuse=True).id == 1


def test_a_job_whose_source_was_edited_between_submit_and_run_is_never_reused(calc):
    bg.pause()
    first = bg.submit("calc.add", {"a": 1}, reuse=True)
    calc.module("calc", module_text("calc").replace("return a + b", "return a + b + 100"))
    bg.resume()
    assert first.result(60) == 101
    calc.module("calc")
    again = bg.submit("calc.add", {"a": 1}, reuse=True)
    assert (again.id, again.result(60)) == (2, 1)
    assert bg.submit("calc.add", {"a": 1}, reuse=True).id == 2


def test_only_a_job_that_has_succeeded_and_whose_result_is_kept_is_reused(calc):
    for number, (target, params) in enumerate([("calc.fails", {}), ("calc.lost_result", {}), ("work.echo", {"value": 1})]):
        first = bg.submit(target, params, delay="1h" if target == "work.echo" else None)
        if target == "work.echo":
            first.cancel()
        first.wait(60)
        second = bg.submit(target, params, reuse=True).wait(60)
        assert (first.id, second.id) == (2 * number + 1, 2 * number + 2)
    live = running(bg.submit("calc.nap"))
    other = bg.submit("calc.nap", reuse=True)
    assert other.id != live.id
    assert {str(job.state) for job in bg.jobs(target="calc.nap").cancel()} == {"cancelled"}


def test_a_job_that_succeeded_when_it_was_tried_again_by_hand_is_reused(calc):
    call = ("calc.once", {"marker": str(calc.root / "marker")})
    first = bg.submit(*call).wait(60)
    assert first.state == "failed"
    assert first.retry().result(60) == "second run"
    assert bg.submit(*call, reuse=True) == first


def test_a_job_that_succeeded_at_its_second_attempt_is_reused(calc):
    call = ("calc.once", {"marker": str(calc.root / "marker")})
    first = bg.submit(*call, retry={"max_attempts": 2, "delay_seconds": 0})
    assert first.result(60) == "second run"
    assert bg.submit(*call, reuse=True) == first


def test_reuse_takes_an_age(calc, capsys):
    first = bg.submit("calc.add", {"a": 1}).wait(60)
    age(calc, first, 8 * DAY)
    said = reusing(first, capsys)
    assert bg.submit("calc.add", {"a": 1}, reuse="9d").id == 1
    assert said()
    assert bg.submit("calc.add", {"a": 1}, reuse=True).id == 1
    second = bg.submit("calc.add", {"a": 1}, reuse="7d").wait(60)
    assert second.id == 2
    assert bg.submit("calc.add", {"a": 1}, reuse="7d").id == 2
    age(calc, second, 1 * DAY)
    said = reusing(second, capsys)
    assert bg.submit("calc.add", {"a": 1}, reuse=7 * DAY).id == 2
    assert said()


@pytest.mark.parametrize("reuse", ["soon", -1, "-7d", float("nan"), [7], "7 fortnights"])
def test_an_age_that_cannot_be_read_is_refused(calc, reuse):
    with pytest.raises(bg.InvalidParameters) as error:
        bg.submit("calc.add", {"a": 1}, reuse=reuse)
    assert "reuse" in one_sentence(str(error.value))
    assert bg.jobs() == []


def test_reuse_and_unique_together_make_run_all_harmless(calc):
    def run_all():
        return bg.submit("calc.nap", {"seconds": 0.3}, reuse=True, unique=True, on_duplicate="existing")

    ids = {run_all().id for _ in range(5)}
    run_all().wait(60)
    ids |= {run_all().id for _ in range(5)}
    assert ids == {1}
    assert len(bg.job(1).attempts) == 1


def test_a_removed_job_is_not_reused(calc):
    bg.submit("calc.add", {"a": 1}).wait(60).remove()
    assert bg.submit("calc.add", {"a": 1}, reuse=True).wait(60).id == 2
