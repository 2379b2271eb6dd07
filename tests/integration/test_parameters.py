"""Parameters on their whole way: bound at the submit, passed to the method in its process."""

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
