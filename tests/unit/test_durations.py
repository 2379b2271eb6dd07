"""Durations: what is read as seconds, what is refused, and how they are shown."""

import contextlib
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipybgjobs.model import durations

#: Machines are slow and shared.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [
        (0, 0.0),
        (90, 90.0),
        (0.25, 0.25),
        ("90", 90.0),
        (" 1e3 ", 1000.0),
        ("500ms", 0.5),
        ("30s", 30.0),
        ("5m", 300.0),
        ("2h", 7200.0),
        ("1d", 86400.0),
        ("1w", 604800.0),
        ("1.5h", 5400.0),
        ("1h 30m", 5400.0),
        ("1h30m10s", 5410.0),
        (" 2 h ", 7200.0),
        ("0s", 0.0),
    ],
)
def test_numbers_and_text_with_units_become_seconds(given_value, expected):
    assert durations.seconds(given_value) == expected


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        " ",
        "soon",
        "5 minutes",
        "5M",
        "h",
        "1h30",
        "-5s",
        "5-s",
        "1h,30m",
        "5s!",
        "1..5s",
        "0x10s",
    ],
)
def test_text_that_is_no_duration_is_refused_with_an_example(wrong):
    with pytest.raises(ValueError, match=r'timeout must be .*"30s", "5m", "2h"'):
        durations.seconds(wrong, "timeout")


@pytest.mark.parametrize("wrong", ["-5", "nan", "inf", -1, -0.001, math.nan, math.inf, -math.inf, True, False, None, [5], b"5s"])
def test_a_value_that_is_negative_infinite_or_no_number_is_refused_by_name(wrong):
    with pytest.raises(ValueError, match="delay must be "):
        durations.seconds(wrong, "delay")


@pytest.mark.parametrize("endless", ["9" * 400 + "s", "1" + "0" * 306 + "d", 10**400], ids=["text", "by its unit", "int"])
def test_a_number_too_large_to_be_finite_is_refused(endless):
    with pytest.raises(ValueError, match="delay must be "):
        durations.seconds(endless, "delay")


@PATIENT
@given(st.text(max_size=12))
def test_any_text_is_a_finite_duration_or_refused(text):
    value = 0.0
    with contextlib.suppress(ValueError):
        value = durations.seconds(text)
    assert math.isfinite(value)
    assert value >= 0


@PATIENT
@given(st.lists(st.tuples(st.integers(0, 999), st.sampled_from(["ms", "s", "m", "h", "d", "w"])), min_size=1, max_size=4))
def test_parts_add_up(parts):
    whole = durations.seconds(" ".join(f"{number}{unit}" for number, unit in parts))
    assert whole == pytest.approx(sum(durations.seconds(f"{number}{unit}") for number, unit in parts))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0.0 s"),
        (0.26, "0.3 s"),
        (9.94, "9.9 s"),
        (12.3, "12 s"),
        (59.4, "59 s"),
        (59.6, "1 m"),
        (200, "3 m 20 s"),
        (3599.7, "1 h"),
        (7500, "2 h 5 m"),
        (7510, "2 h 5 m"),
        (86399, "23 h 59 m"),
        (86400, "1 d"),
        (3 * 86400 + 4 * 3600 + 59, "3 d 4 h"),
    ],
)
def test_seconds_are_shown_as_a_person_would_write_them(value, shown):
    assert durations.show(value) == shown
