"""The retry rule: which failures are followed by another attempt, and after how long."""

import io
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ipybgjobs import CellFailed, Retry
from ipybgjobs.model.retry import FAULTS_OF_THE_CODE, LASTING, Failure, RetrySettings, delay_before, next_delay
from ipybgjobs.worker import descriptions, outcome

#: Machines are slow and shared.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def failure(error, folder="/nonexistent"):
    """The failure as the worker records it and the supervisor reads it."""
    record = outcome.failed(folder, error, descriptions.error_text(error))
    return Failure(tuple(record["names"]), record.get("fatal", False), record.get("asked", False), record.get("after"))


class FlakyError(ConnectionError):
    pass


def requested(**settings):
    """A policy that somebody asked for."""
    return RetrySettings(requested=True, **settings)


RULES = st.builds(
    RetrySettings,
    max_attempts=st.integers(1, 50),
    delay_seconds=st.lists(st.floats(0, 1e6), min_size=1, max_size=4).map(tuple),
    backoff_factor=st.floats(1, 1e6),
    max_delay_seconds=st.floats(0, 1e6),
    jitter=st.floats(0, 1),
    requested=st.booleans(),
)
DRAWS = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(
    ("rules", "delays"),
    [
        (RetrySettings(), [60, 120, 240, 480, 960, 1920, 3600, 3600]),
        (RetrySettings(backoff_factor=1.0), [60, 60, 60]),
        (RetrySettings(delay_seconds=(1.0,), backoff_factor=3.0, max_delay_seconds=10.0), [1, 3, 9, 10, 10]),
        (RetrySettings(delay_seconds=(5.0, 1.0, 7.0)), [5, 1, 7, 7, 7]),
        (RetrySettings(delay_seconds=(5.0, 5000.0)), [5, 3600, 3600]),
        (RetrySettings(delay_seconds=(0.0,)), [0, 0, 0]),
        (RetrySettings(delay_seconds=(60.0,), max_delay_seconds=30.0), [30, 30]),
    ],
)
def test_delays_grow_by_the_factor_up_to_the_limit_and_a_list_gives_each_in_turn(rules, delays):
    assert [delay_before(rules, attempt, 0.0) for attempt in range(2, 2 + len(delays))] == delays


def test_jitter_adds_at_most_its_share_and_the_limit_holds_with_it():
    rules = RetrySettings(jitter=0.5, max_delay_seconds=100.0)
    assert delay_before(rules, 2, 0.0) == 60
    assert delay_before(rules, 2, 0.5) == 75
    assert delay_before(rules, 3, 0.999) == 100


@pytest.mark.parametrize("delay", [0.0, 60.0])
def test_a_huge_number_of_attempts_overflows_to_the_limit(delay):
    rules = RetrySettings(delay_seconds=(delay,), backoff_factor=1e300)
    assert delay_before(rules, 5000, 0.0) == (3600 if delay else 0)


@PATIENT
@given(RULES, st.integers(2, 10_000), DRAWS)
def test_a_delay_is_never_negative_nor_longer_than_the_limit(rules, attempt, draw):
    assert 0 <= delay_before(rules, attempt, draw) <= rules.max_delay_seconds


@PATIENT
@given(RULES, st.integers(2, 100), DRAWS)
def test_jitter_stays_within_its_share(rules, attempt, draw):
    without = delay_before(rules, attempt, 0.0)
    assert without <= delay_before(rules, attempt, draw) <= without * (1 + rules.jitter) * (1 + 1e-9)


@PATIENT
@given(RULES, st.integers(2, 100))
def test_a_single_delay_never_shrinks_from_one_attempt_to_the_next(rules, attempt):
    rules = RetrySettings(
        delay_seconds=rules.delay_seconds[:1],
        backoff_factor=rules.backoff_factor,
        max_delay_seconds=rules.max_delay_seconds,
    )
    assert delay_before(rules, attempt, 0.0) <= delay_before(rules, attempt + 1, 0.0)


@PATIENT
@given(RULES, st.integers(1, 100), DRAWS, st.booleans())
def test_there_are_never_more_attempts_than_allowed(rules, made, draw, asked):
    what = Failure(("OSError",), retry_requested=asked, after=1.0 if asked else None)
    assert (next_delay(rules, made, what, draw) is None) == (made >= rules.max_attempts)


def test_the_default_policy_runs_a_job_three_times_in_all():
    delays = [next_delay(RetrySettings(), made, failure(OSError()), 0.0) for made in (1, 2, 3)]
    assert delays == [60, 120, None]


def test_one_attempt_means_never_again():
    assert next_delay(RetrySettings(max_attempts=1), 1, failure(OSError()), 0.0) is None


@pytest.mark.parametrize(
    "error", [TypeError(), NameError(), AttributeError(), ImportError(), SyntaxError(), AssertionError()], ids=repr
)
def test_faults_of_the_code_are_not_retried_by_default(error):
    assert type(error).__name__ in FAULTS_OF_THE_CODE
    assert next_delay(RetrySettings(), 1, failure(error), 0.0) is None
    assert next_delay(requested(), 1, failure(error), 0.0) is None


@pytest.mark.parametrize("error", [ModuleNotFoundError(), UnboundLocalError(), IndentationError()], ids=repr)
def test_subclasses_of_what_is_never_retried_are_not_retried(error):
    assert next_delay(requested(), 1, failure(error), 0.0) is None


#: What may pass by itself, and what will not.
PASSING = [
    ConnectionError(),
    ConnectionResetError(),
    TimeoutError(),
    OSError(),
    InterruptedError(),
    FlakyError(),
    socket.gaierror(),
]
STAYING = [
    ValueError(),
    KeyError(),
    IndexError(),
    ZeroDivisionError(),
    RuntimeError(),
    MemoryError(),
    EOFError("when reading a line"),
    SystemExit(3),
    FileNotFoundError(),
    FileExistsError(),
    IsADirectoryError(),
    NotADirectoryError(),
    PermissionError(),
    io.UnsupportedOperation(),
]


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_what_may_pass_by_itself_is_retried_without_being_asked_for(error):
    assert next_delay(RetrySettings(), 1, failure(error), 0.0) == 60


@pytest.mark.parametrize("error", STAYING, ids=repr)
def test_any_other_exception_is_retried_only_if_somebody_asked_for_retries(error):
    assert next_delay(RetrySettings(), 1, failure(error), 0.0) is None
    assert next_delay(requested(), 1, failure(error), 0.0) == 60


def test_every_kind_of_error_that_stays_is_tried():
    names = {descriptions.name(type(error)) for error in STAYING}
    assert set(LASTING) <= names


def test_settings_of_a_policy_that_nobody_asked_for_choose_no_exception():
    assert next_delay(RetrySettings(retry_on=("ValueError",)), 1, failure(ValueError()), 0.0) is None
    assert next_delay(RetrySettings(never_retry=("OSError",)), 1, failure(OSError()), 0.0) == 60


def test_a_vanished_process_is_retried_unless_memory_likely_ran_out():
    assert next_delay(RetrySettings(), 1, Failure(lost=True), 0.0) == 60
    assert next_delay(RetrySettings(), 1, Failure(lost=True, out_of_memory=True), 0.0) is None
    assert next_delay(requested(), 1, Failure(lost=True, out_of_memory=True), 0.0) == 60


def test_a_time_out_of_an_attempt_is_retried_only_if_somebody_asked_for_retries():
    assert next_delay(RetrySettings(), 1, Failure(), 0.0) is None
    assert next_delay(requested(), 1, Failure(), 0.0) == 60


def test_what_a_cell_raises_is_retried_only_if_somebody_asked_for_retries():
    in_a_notebook = failure(CellFailed("cell 1 of 2", "ConnectionError", "no route"))
    assert "OSError" in in_a_notebook.names
    for found in (in_a_notebook, replace(failure(ConnectionError()), of_cell=True)):
        assert next_delay(RetrySettings(), 1, found, 0.0) is None
        assert next_delay(requested(), 1, found, 0.0) == 60
    assert next_delay(RetrySettings(), 1, replace(failure(Retry()), of_cell=True), 0.0) == 60


def test_rules_of_an_older_version_count_as_requested():
    older = {name: value for name, value in RetrySettings().to_json().items() if name != "requested"}
    assert RetrySettings.from_json(older).requested


@pytest.mark.parametrize(
    "name", ["OSError", "ConnectionError", "FlakyError", f"{__name__}.FlakyError", "Exception", "BaseException"]
)
def test_an_exception_is_known_by_its_own_name_its_dotted_name_and_those_of_its_bases(name):
    assert next_delay(requested(never_retry=(name,)), 1, failure(FlakyError()), 0.0) is None
    assert next_delay(requested(retry_on=(name,)), 1, failure(FlakyError()), 0.0) == 60


@pytest.mark.parametrize("name", ["ValueError", "other.FlakyError", "FlakyErr", "flakyerror"])
def test_another_name_does_not_count(name):
    assert next_delay(requested(never_retry=(name,)), 1, failure(FlakyError()), 0.0) == 60
    assert next_delay(requested(retry_on=(name,)), 1, failure(FlakyError()), 0.0) is None


def test_never_retry_wins_over_retry_on():
    rules = requested(retry_on=("ConnectionError",), never_retry=("OSError",))
    assert next_delay(rules, 1, failure(FlakyError()), 0.0) is None


@pytest.mark.parametrize("rules", [requested(), requested(retry_on=("KeyError",))])
def test_an_attempt_that_raised_nothing_is_retried_whatever_the_names_say(rules):
    assert next_delay(rules, 1, Failure(), 0.0) == 60


def test_a_job_that_says_fail_is_not_retried_even_where_its_name_is_listed():
    from ipybgjobs import Fail

    assert next_delay(requested(retry_on=("Fail",)), 1, failure(Fail("no use")), 0.0) is None


@pytest.mark.parametrize(("after", "delay"), [(None, 60), (0, 0), (30, 30), ("5m", 300), ("nonsense", 60), (-1, 60), ([], 60)])
def test_a_job_that_says_retry_is_tried_again_after_the_time_it_names(after, delay):
    rules = RetrySettings(retry_on=("KeyError",), never_retry=("Exception",))
    assert next_delay(rules, 1, failure(Retry(after=after)), 0.0) == delay


def test_a_job_that_says_retry_without_a_time_gets_the_delay_of_the_next_attempt():
    assert next_delay(RetrySettings(), 2, failure(Retry()), 0.0) == 120


def test_a_job_that_says_retry_is_not_tried_more_often_than_allowed():
    assert next_delay(RetrySettings(max_attempts=2), 2, failure(Retry(after=0)), 0.0) is None


@PATIENT
@given(RULES)
def test_rules_survive_json(rules):
    import json

    assert RetrySettings.from_json(json.loads(json.dumps(rules.to_json()))) == rules
