"""The options of a submit, checked: each refusal is one sentence that names the option, the rule and the fix."""

import difflib
import math
import numbers
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ...configuration import loading
from ...configuration.settings import DEFAULT_QUEUE, AllowedEntry, Settings
from ...errors import ConfigurationError, InvalidParameters
from ...model import durations, moments, serialization
from ...model.redaction import quoted
from ...model.retry import RetryRules

ON_DUPLICATE = ("reject", "existing", "replace")

#: More of anything is as good as all: the largest number that the store can hold.
_MOST = (1 << 63) - 1

#: Priorities have fewer digits than this has, so that the store can hold them.
_PRIORITIES = 10**18

#: Every option of a submit.
NAMES = (
    "name",
    "queue",
    "priority",
    "delay",
    "at",
    "after",
    "after_any",
    "timeout",
    "retry",
    "retry_until",
    "unique",
    "on_duplicate",
    "reuse",
)


@dataclass(frozen=True, slots=True)
class Options:
    """How a job is to be run, checked; times are seconds since the epoch.

    Parameters
    ----------
    name : str or None
        A name to find it by.
    queue : str
        A configured queue.
    priority : int
        Higher goes first.
    not_before : float
        It does not start earlier.
    timed : bool
        Whether that is a time of the calendar, no delay.
    after : tuple of (object, bool)
        What it comes after, as given; whether whatever becomes of it.
    timeout : float or None
        Seconds, for each attempt.
    rules : RetryRules
        The retry policy.
    deadline : float or None
        For the job in all.
    deadline_timed : bool
        Whether that is a time of the calendar.
    unique : str or True or None
        The key that one live job holds; True: the call itself.
    on_duplicate : str
        One of `ON_DUPLICATE`.
    reuse_since : float or None
        A job that succeeded since, with the same call and source, serves as well.
    """

    name: str | None
    queue: str
    priority: int
    not_before: float
    timed: bool
    after: tuple[tuple[Any, bool], ...]
    timeout: float | None
    rules: RetryRules
    deadline: float | None
    deadline_timed: bool
    unique: str | bool | None
    on_duplicate: str
    reuse_since: float | None


def check(given: Mapping[str, Any], entry: AllowedEntry, settings: Settings, now: float) -> Options:
    """Check the options of a submit; one that is absent has its default.

    Raises
    ------
    InvalidParameters
        If one is unknown or does not fit.
    """
    unknown = [key for key in given if key not in NAMES]
    if unknown:
        near = difflib.get_close_matches(unknown[0], NAMES, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise InvalidParameters(f"There is no option {quoted(unknown[0])[1:-1]}; the options are {', '.join(NAMES)}.{hint}")
    not_before, timed = _start(given.get("delay"), given.get("at"), now)
    deadline, deadline_timed = _deadline(given.get("retry_until"), now)
    if deadline is not None and deadline <= not_before:
        raise InvalidParameters(f"retry_until is {moments.show(deadline)}, before the start at {moments.show(not_before)}.")
    timeout = given.get("timeout")
    key = unique(given.get("unique"), given.get("on_duplicate", "reject"))
    return Options(
        name=name(given.get("name")),
        queue=queue(_else(given.get("queue"), entry.queue or DEFAULT_QUEUE), settings),
        priority=priority(given.get("priority", 0)),
        not_before=not_before,
        timed=timed,
        after=(*_after(given.get("after", ()), anyway=False), *_after(given.get("after_any", ()), anyway=True)),
        timeout=entry.timeout if timeout is None else limit(timeout),
        rules=rules(entry, given.get("retry")),
        deadline=deadline,
        deadline_timed=deadline_timed,
        unique=key,
        on_duplicate=given.get("on_duplicate", "reject"),
        reuse_since=reuse(given.get("reuse"), now),
    )


def check_for_group(chosen: Options) -> None:
    """See to it that the options of a submit have a meaning for each job of a group.

    Raises
    ------
    InvalidParameters
        If one is about a single job.
    """
    if isinstance(chosen.unique, str):
        raise InvalidParameters(
            f"unique is {quoted(chosen.unique)}, a key that one job can hold: for the jobs of a group give unique=True, by which "
            "each job's target and parameters are its key, or submit them one by one."
        )
    found = ['on_duplicate="existing"'] if chosen.on_duplicate == "existing" else []
    found += [] if chosen.reuse_since is None else ["reuse"]
    if found:
        raise InvalidParameters(
            f"submit_many takes no {found[0]}: all jobs of a group are its own, and an earlier job is in none of another's; "
            "submit those one by one."
        )


def mapping(values: Mapping[str, Any] | None, what: str) -> dict[str, Any]:
    """Check parameters given in Python: a mapping of names."""
    if values is None:
        return {}
    wrong = None if isinstance(values, Mapping) else f"it is of type {type(values).__name__}"
    wrong = wrong or next((f"{quoted(key)} is not a name" for key in values if not isinstance(key, str)), None)
    if wrong:
        raise InvalidParameters(f"{what} must be a dict of names and values, such as {{'epochs': 50}}; {wrong}.")
    return dict(values)


def duration(value: float | str, what: str) -> float:
    """Check a duration, and return seconds."""
    try:
        return durations.seconds(value, what)
    except ValueError as error:
        raise InvalidParameters(str(error)) from None


def limit(value: float | str) -> float:
    """Check the time limit of an attempt, and return seconds."""
    try:
        return durations.limit(value, "timeout")
    except ValueError as error:
        raise InvalidParameters(str(error)) from None


def patience(value: float | str | None) -> float | None:
    """Check how long somebody waits, and return seconds; None: as long as it takes; less than nothing is nothing."""
    if value is None or value == math.inf:
        return None
    if isinstance(value, numbers.Real) and not isinstance(value, bool) and not math.isnan(value):
        return max(0.0, float(value))
    return duration(value, "timeout")


def moment(value: Any, now: float, what: str) -> float:
    """Check a time of the calendar, and return seconds since the epoch."""
    try:
        return moments.parse(value, now, what)
    except ValueError as error:
        raise InvalidParameters(str(error)) from None


def _else(value: Any, default: Any) -> Any:
    return default if value is None else value


def _start(delay: float | str | None, at: Any, now: float) -> tuple[float, bool]:
    """When a job may start, and whether that is a time of the calendar."""
    if delay is not None and at is not None:
        raise InvalidParameters("delay and at both say when the job starts; give one of them.")
    if at is not None:
        return moment(at, now, "at"), True
    return now + (0.0 if delay is None else duration(delay, "delay")), False


def _deadline(value: Any, now: float) -> tuple[float | None, bool]:
    """When a job has to have ended, and whether that is a time of the calendar: a duration or a time."""
    if value is None:
        return None, False
    try:
        return now + durations.seconds(value, "retry_until"), False
    except ValueError as error:
        if isinstance(value, (int, float)):
            raise InvalidParameters(str(error)) from None
    try:
        return moments.parse(value, now, "retry_until"), True
    except ValueError as error:
        raise InvalidParameters(str(error).replace("give a time", 'give a duration such as "2h", or a time')) from None


def _after(given: Any, *, anyway: bool) -> tuple[tuple[Any, bool], ...]:
    """What a job comes after: one job or several."""
    if given is None:
        return ()
    several = isinstance(given, Iterable) and not isinstance(given, str) and not hasattr(given, "uid")
    return tuple((each, anyway) for each in (given if several else [given]))


def name(given: str | None) -> str | None:
    """Check a job's name."""
    if given is not None and (
        not isinstance(given, str) or not given.strip() or given.isdigit() or not serialization.is_plain(given)
    ):
        raise InvalidParameters(f"name is {quoted(given)}; a name is text, and not a number, which would be an id.")
    return given


def key(given: int | str, what: str = "job") -> int | str:
    """Check by what a job or group is to be found."""
    if isinstance(given, bool) or not isinstance(given, (int, str)):
        raise InvalidParameters(f"{what} is {quoted(given)}; give its id, a whole number, or its name or uid, as text.")
    return given


def text(given: str | None, what: str) -> str | None:
    """Check a text that jobs are looked for by."""
    if given is not None and not isinstance(given, str):
        raise InvalidParameters(f"{what} is {quoted(given)}; give it as text.")
    return given


def queue(given: str, settings: Settings) -> str:
    """Check that a queue is configured."""
    if not isinstance(given, str) or given not in settings.queues:
        known = ", ".join(settings.queues)
        raise InvalidParameters(f"There is no queue {quoted(given)}; the configuration has {known} (BackgroundJobs.queues).")
    return given


def priority(given: int) -> int:
    """Check a priority."""
    if isinstance(given, bool) or not isinstance(given, int) or abs(given) >= _PRIORITIES:
        raise InvalidParameters(
            f"priority is {quoted(given)}; it is a whole number of at most 18 digits, a higher one goes first."
        )
    return given


def count(given: int, what: str, least: int = 0) -> int:
    """Check a number of things."""
    if isinstance(given, bool) or not isinstance(given, int) or given < least:
        raise InvalidParameters(f"{what} is {quoted(given)}; it is a whole number, at least {least}.")
    return min(given, _MOST)


def unique(key: str | bool | None, on_duplicate: str) -> str | bool | None:  # noqa: FBT001 - a value of the option
    """Check a unique key and what to do where another job holds it."""
    if on_duplicate not in ON_DUPLICATE:
        raise InvalidParameters(f"on_duplicate is {quoted(on_duplicate)}; it is one of {', '.join(ON_DUPLICATE)}.")
    if key is None or key is False:
        if on_duplicate != "reject":
            raise InvalidParameters("on_duplicate says what to do about a unique key: give unique=True or a key too.")
        return None
    if key is not True and (not isinstance(key, str) or not key.strip() or not serialization.is_plain(key)):
        raise InvalidParameters(f"unique is {quoted(key)}; it is a key, as text, or True for target and parameters.")
    return key


def reuse(given: bool | float | str | None, now: float) -> float | None:  # noqa: FBT001 - likewise
    """Check how old a job may be that serves as well; return since when it must have ended."""
    if given is None or given is False:
        return None
    return 0.0 if given is True else now - duration(given, "reuse")


def rules(entry: AllowedEntry, retry: int | Mapping[str, Any] | None) -> RetryRules:
    """Return the retry policy of a job: its entry's, with what the submit changes."""
    if retry is None:
        return entry.rules
    if isinstance(retry, bool):
        raise InvalidParameters(f"retry is {retry}; it is max_attempts, a whole number, or a dict of settings.")
    changes = dict(retry) if isinstance(retry, Mapping) else {"max_attempts": retry}
    if "max_attempts" in changes:
        count(changes["max_attempts"], "retry (max_attempts)", least=1)
    unknown = [key for key in changes if key not in RetryRules.__slots__]
    if unknown:
        raise InvalidParameters(f"retry has no setting {quoted(unknown[0])}; it has {', '.join(RetryRules.__slots__)}.")
    try:
        return loading.overridden(entry.rules, changes, "retry")
    except ConfigurationError as error:
        raise InvalidParameters(str(error)) from None


def calls(given: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Check the calls of a group.

    Raises
    ------
    InvalidParameters
        If they are not several dicts.
    """
    if isinstance(given, (str, Mapping)) or not isinstance(given, Iterable):
        raise InvalidParameters("submit_many takes a list of parameters, one dict for each job; grid(…) makes one.")
    return list(given)


def grace_seconds(grace: float | str | None) -> float | None:
    """Check how long each step of a cancel may take; None: as configured.

    Raises
    ------
    InvalidParameters
        If it is no duration.
    """
    try:
        return None if grace is None else durations.seconds(grace, "grace")
    except ValueError as error:
        raise InvalidParameters(str(error)) from None
