"""Parameters of the constructor and of the method, given together: in one job, in a sweep, and by a retry."""

import pandas as pd
import pytest

import ipybgjobs as bg
from support.refusals import refused

pytestmark = pytest.mark.shared_place


@pytest.fixture
def grids(place):
    place.module("grids")
    place.allow({"grids.Trial": ["fit", "score", "take"]}, BackgroundJobs__idle_seconds=0.1)
    return place


def test_a_sweep_goes_over_parameters_of_the_constructor_and_of_the_method(grids):
    group = bg.submit_many("grids.Trial.fit", bg.grid(lr=["0.1", 0.2], epochs=[3]), common={"data": None})
    assert group.results(60) == [[0.1, 0, 3, 7], [0.2, 0, 3, 7]]
    assert [(job.init, job.params) for job in group] == [({"data": None, "lr": lr}, {"epochs": 3}) for lr in (0.1, 0.2)]


def test_a_shared_value_of_the_constructor_that_is_not_plain_arrives(grids):
    frame = pd.DataFrame({"x": [1, 2]})
    group = bg.submit_many("grids.Trial.fit", bg.grid(lr=[1.0, 2.0]), common={"data": frame, "epochs": 2}).wait(60)
    assert [len(job.init["data"]) for job in group] == [2, 2]
    assert [job.params for job in group] == [{"epochs": 2}] * 2


def test_a_single_submit_takes_both_and_a_name_that_both_have_is_the_methods(grids):
    assert bg.submit("grids.Trial.fit", {"lr": 0.5, "seed": 1}).result(60) == [0.5, 0, 1, 1]
    assert bg.submit("grids.Trial.fit", {"lr": 0.5, "seed": 1}, init={"seed": 2}).result(60) == [0.5, 2, 1, 1]


def test_a_method_that_takes_any_name_gets_all_but_those_in_init(grids):
    assert bg.submit("grids.Trial.take", {"lr": 0.5}, init={"lr": 0.3}).result(60) == [0.3, {"lr": 0.5}]


def test_the_same_holds_for_a_class_that_was_edited_since_its_import(grids):
    bg.submit("grids.Trial.fit").wait(60)
    text = (grids.code / "grids.py").read_text()
    grids.module("grids", text.replace("lr: float = 0.1,", "lr: float = 0.1, wd: float = 0.0,").replace("[self.lr,", "[wd,"))
    group = bg.submit_many("grids.Trial.score", bg.grid(wd=["0.5", "1"], epochs=[2]))
    assert [job.init for job in group.wait(60)] == [{"wd": 0.5}, {"wd": 1.0}]


def test_two_jobs_that_differ_only_in_the_constructor_are_two_for_unique(grids):
    group = bg.submit_many("grids.Trial.fit", bg.grid(lr=[1.0, 2.0]), unique=True, delay="1h")
    assert len(group) == 2
    with pytest.raises(bg.DuplicateJob):
        bg.submit("grids.Trial.fit", init={"lr": 1.0}, unique=True)
    group.cancel()


def test_a_retry_changes_a_parameter_of_the_constructor(grids):
    job = bg.submit("grids.Trial.fit", {"lr": 0.5, "epochs": 2}).wait(60)
    assert job.retry({"lr": 0.75}).result(60) == [0.75, 0, 2, 7]
    assert job.retry({"epochs": 4}).result(60) == [0.5, 0, 4, 7]


@pytest.mark.own_place
def test_a_call_of_a_sweep_with_an_unknown_name_is_named_and_nothing_is_submitted(grids):
    with refused(grids, bg.InvalidParameters, r"^call 0: .*has no parameter epoch; it takes .*Did you mean epochs\?$"):
        bg.submit_many("grids.Trial.fit", bg.grid(lr=[0.1, 0.2], epoch=[1]))
