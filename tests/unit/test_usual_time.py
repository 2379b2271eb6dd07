"""How long a target usually runs, and from when on an attempt is overdue."""

import pytest

from ipybgjobs.model.usual_time import UsualTime


@pytest.mark.parametrize(
    ("seconds", "shown", "limit"),
    [
        ([720.0, 700.0, 760.0, 600.0, 900.0], "usually 12 m (last 5 runs)", 1800.0),
        ([720.0, 720.0, 720.0], "usually 12 m (last 3 runs)", 1440.0),
        ([2.0, 1.0], "usually 1.5 s (last 2 runs)", None),  # too few to call another one overdue
        ([3.0], "usually 3.0 s (last run)", None),
        ([0.2, 0.1, 0.3], "", 30.3),  # a busy machine does not make a short job overdue
    ],
)
def test_the_usual_time_is_the_median_and_an_attempt_is_overdue_after_twice_the_longest(seconds, shown, limit):
    usual = UsualTime.of(seconds)
    assert (str(usual), usual.limit) == (shown, limit)
    if limit is not None:
        assert not usual.is_overdue(1000.0, 1000.0 + limit)
        assert usual.is_overdue(1000.0, 1000.1 + limit)
    assert not usual.is_overdue(None, 1e9)


def test_without_a_run_that_succeeded_there_is_no_usual_time():
    assert UsualTime.of([]) is None
