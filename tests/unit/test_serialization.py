"""Plain values: JSON gives them back exactly; everything else goes by pickle."""

import enum
import json
import math
import os
from collections import OrderedDict, defaultdict
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipybgjobs.model import serialization
from ipybgjobs.state import attempt
from ipybgjobs.system import private_file
from ipybgjobs.worker import outcome

#: Machines are slow and shared.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None))
    | st.binary()
    | st.tuples(st.integers()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.integers(), inner, max_size=4) | st.tuples(inner),
    max_leaves=12,
)


def same(one, other):
    """Equal in type and value, at any depth; nan is nan, and zeros keep their sign."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return (math.isnan(one) and math.isnan(other)) or (one == other and math.copysign(1, one) == math.copysign(1, other))
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    return one == other


def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


class Text(str):
    __slots__ = ()


class Table(dict):
    pass


class Rows(list):
    pass


class Level(enum.IntEnum):
    HIGH = 3


class Colour(enum.StrEnum):
    RED = "red"


class Pair(NamedTuple):
    a: int
    b: int


def itself():
    value = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -(2**70),
        1.5,
        -0.0,
        math.nan,
        math.inf,
        "",
        "text",
        "ä\u2028\x00😀",
        [],
        {},
        {"": {"a": [1, 2.5, None]}},
        {"b": 1, "a": 2},
        nested(40),
    ],
    ids=repr,
)
def test_a_plain_value_comes_back_from_json_as_it_was(value):
    assert serialization.is_plain(value)
    assert same(json.loads(json.dumps(value)), value)


@pytest.mark.parametrize(
    "value",
    [
        (),
        (1, 2),
        [(1,)],
        {1: "a"},
        {None: 1},
        {True: 1},
        {"a": {2: 3}},
        "\ud800",
        ["ok", "\udcff"],
        {"\ud800": 1},
        b"bytes",
        {1, 2},
        1j,
        Text("a"),
        {Text("a"): 1},
        Table(a=1),
        Rows([1]),
        OrderedDict(a=1),
        defaultdict(list),
        Level.HIGH,
        Colour.RED,
        Pair(1, 2),
        np.float64(1.5),
        np.int64(1),
        np.bool_(1),
        np.str_("a"),
        object(),
        nested(5000),
        itself(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_that_json_would_change_or_refuse_is_not_plain(value):
    assert not serialization.is_plain(value)


@PATIENT
@given(ANYTHING)
def test_whatever_is_plain_comes_back_exactly(value):
    if serialization.is_plain(value):
        assert same(json.loads(json.dumps(value).encode()), value)


@PATIENT
@given(ANYTHING)
def test_whatever_is_not_plain_comes_back_by_pickle(value):
    assert same_or_equal(serialization.load(serialization.dump(value)), value)


def same_or_equal(one, other):
    return same(one, other) or repr(one) == repr(other)


def test_an_integer_of_more_digits_than_python_prints_is_not_plain():
    assert not serialization.is_plain(10**5000)
    assert not serialization.is_plain({"value": [-(10**5000)]})


def test_a_job_may_return_an_integer_of_more_digits_than_python_prints(tmp_path):
    record = outcome.succeeded(str(tmp_path), 10**5000)
    private_file.write_json(str(tmp_path), attempt.OUTCOME, record)
    with open(tmp_path / record["result"]["pickled"], "rb") as file:
        assert serialization.load(file.read()) == 10**5000


def test_code_of_the_notebook_is_sent_by_value():
    secret = 40
    assert serialization.load(serialization.dump(lambda x: x + secret))(2) == 42


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (np.zeros((3, 4)), "<ndarray 3×4>"),
        (np.zeros(()), "<ndarray>"),
        (Table(), "<Table>"),
        (os.environ, "<_Environ>"),
    ],
)
def test_a_value_that_is_not_shown_whole_is_described_by_type_and_shape(value, shown):
    assert serialization.describe(value) == shown


def test_a_digest_tells_values_apart_and_is_the_same_for_the_same():
    rows = np.arange(300_000.0)
    other = rows.copy()
    assert serialization.digest({"rows": rows, "names": {"a", "b"}}) == serialization.digest({"rows": other, "names": {"b", "a"}})
    other[-1] += 1
    different = [rows, other, rows.reshape(2, -1), [rows], (rows,), {"rows": rows}, [1, 2], [[1], 2], {1, 2}, b"12", "12"]
    assert len({serialization.digest(value) for value in different}) == len(different)
