"""Parameters on their whole way: bound at the submit, passed to the method in its process."""

import datetime as dt
import subprocess
import sys
from decimal import Decimal

import pytest

import ipybgjobs as bg

pytestmark = pytest.mark.shared_place


@pytest.mark.parametrize(
    ("given", "result"),
    [
        ({"a": 1}, [1, 2, 3, 4, {}]),
        ({"c": 7, "a": 1, "b": 5, "d": 9}, [1, 5, 7, 9, {}]),
        ({"a": 1, "z": 0}, [1, 2, 3, 4, {"z": 0}]),
    ],
)
def test_positional_only_parameters_are_given_by_name_and_passed_in_order(place, given, result):
    place.module("orders")
    place.allow({"orders": ["order"]})
    assert bg.submit("orders.order", given).result(60) == result


def test_a_positional_only_parameter_left_out_before_a_given_one_never_shifts_it(place):
    place.module("orders")
    place.allow({"orders": ["order"]})
    assert bg.submit("orders.order", {"a": 1, "c": 9}).result(60) == [1, 2, 9, 4, {}]


def test_a_constructor_s_parameter_that_can_not_be_given_by_name_is_refused_at_submit(place):
    place.module("orders", "class Trainer:\n def __init__(self, rate=0.1, /): self.rate = rate\n def fit(self): return self.rate")
    place.allow({"orders.Trainer": ["fit"]})
    with pytest.raises(bg.BackgroundJobError, match="position"):
        bg.submit("orders.Trainer.fit", init={"rate": 0.5})
    assert bg.submit("orders.Trainer.fit").result(60) == 0.1


def test_parameters_are_shown_in_the_order_of_the_signature_whether_they_are_json_or_not(place):
    place.module(
        "orders",
        "def work(a, b, c=0, d=None): return [a, b, c, d]\n\nclass Kept:\n def __init__(self, x, y): ...\n def run(self): ...",
    )
    place.allow({"orders": ["work"], "orders.Kept": ["run"]})
    job = bg.submit("orders.work", {"d": 4, "b": 2, "a": (1,), "c": {3}})
    assert "orders.work(a=(1,), b=2, c={3}, d=4)" in repr(job)
    assert list(job.params.items()) == [("a", (1,)), ("b", 2), ("c", {3}), ("d", 4)]
    assert job.result(60) == [(1,), 2, {3}, 4]
    assert "orders.Kept(x=(1,), y=2).run()" in repr(bg.submit("orders.Kept.run", init={"y": 2, "x": (1,)}).wait(60))
    [first, _] = bg.submit_many("orders.work", [{"a": (1,), "b": 2}, {"a": 3, "b": 4}]).wait(60).jobs
    assert ("orders.work(a=(1,), b=2)" in repr(first), first.result()) == (True, [(1,), 2, 0, None])


def test_the_place_of_a_value_that_is_not_json_changes_neither_key_nor_fingerprint(place):
    place.module("orders", "def work(a, b=None): return [a, b]")
    place.allow({"orders": ["work"]})
    job = bg.submit("orders.work", {"a": {1, 2}, "b": None}, unique=True, delay="1h")
    assert bg.submit("orders.work", {"b": None, "a": {2, 1}}, unique=True, on_duplicate="existing").id == job.id
    assert bg.submit("orders.work", {"a": {1, 3}, "b": None}, unique=True, delay="1h").cancel().id != job.id
    job.cancel()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (dt.date(2026, 11, 27), "2026-11-27"),
        (dt.datetime(2026, 11, 27, 10, 30, tzinfo=dt.UTC), "2026-11-27 10:30:00+00:00"),
        (dt.time(10, 30), "10:30:00"),
        (dt.timedelta(hours=2), "2:00:00"),
        (Decimal("1.50"), "1.50"),
        (range(3), "range(0, 3)"),
    ],
)
def test_dates_and_numbers_that_json_does_not_have_are_shown_by_their_text(place, value, shown):
    place.module("orders", "def work(a, b=1): return a")
    place.allow({"orders": ["work"]})
    job = bg.submit("orders.work", {"a": value})
    assert f"orders.work(a={shown})" in repr(job)
    assert job.result(60) == value


def test_what_no_pipe_holds_is_passed_on_to_the_process_that_tells_the_type_of_a_parameter(place):
    """A process that first imports pandas does not read at once."""
    place.module("tables", "import pandas as pd\n\n\ndef rows(data: pd.DataFrame):\n    return len(data)\n")
    place.allow({"tables": ["rows"]})
    code = "import ipybgjobs as bg, pandas as pd; table = pd.DataFrame({'a': range(10**6)})"
    code += "; print(bg.submit('tables.rows', {'data': table}).result(60))"
    command, within = [sys.executable, "-c", code], {"cwd": place.code, "env": place.environment}
    assert subprocess.run(command, check=True, capture_output=True, text=True, timeout=100, **within).stdout == "1000000\n"
