"""The options of a submit, checked: each refusal is one sentence that names the option, the rule and the fix."""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from ...configuration import loading
from ...configuration.settings import DEFAULT_QUEUE, AllowedEntry, Settings
from ...errors import ConfigurationError, InvalidParameters
from ...model import moments, serialization, surface
from ...model.redaction import quoted
from ...model.retry import REQUESTING, RetrySettings
from ...model.suggestion import did_you_mean
from . import times
from .option_table import DEFAULTS, NAMES, ON_DUPLICATE

#: The largest number that the store can hold; anything above it counts as unlimited.
_MOST = (1 << 63) - 1

#: Priorities are smaller than this, so that the store can hold them.
_PRIORITIES = 10**18

#: What `retry` can set.
_RETRY_SETTINGS = tuple(name for name in RetrySettings.__struct_fields__ if name != "requested")


class Options(Struct, frozen=True):
    """The checked options of a job; times are seconds since the epoch.

    Parameters
    ----------
    name : str or None
        A name to find the job by.
    queue : str
        A configured queue.
    priority : int
        Higher runs first.
    not_before : float
        The earliest start.
    is_calendar_time : bool
        Whether that is a calendar time, not a delay.
    after : tuple of (object, bool)
        The jobs it depends on, as given; each with whether any outcome will do.
    timeout : float or None
        Seconds, for each attempt.
    retry_settings : RetrySettings
        The retry policy.
    deadline : float or None
        For the whole job.
    deadline_is_calendar_time : bool
        Whether that is a calendar time.
    unique : str or True or None
        The key that one live job holds; True: the call itself.
    on_duplicate : str
        One of `ON_DUPLICATE`.
    reuse_since : float or None
        A job with the same call and source that succeeded since then is returned instead.
    """

    name: str | None
    queue: str
    priority: int
    not_before: float
    is_calendar_time: bool
    after: tuple[tuple[Any, bool], ...]
    timeout: float | None
    retry_settings: RetrySettings
    deadline: float | None
    deadline_is_calendar_time: bool
    unique: str | bool | None
    on_duplicate: str
    reuse_since: float | None


def check(given: Mapping[str, Any], entry: AllowedEntry, settings: Settings, now: float) -> Options:
    """Check the options of a submit; those not given get their defaults.

    Raises
    ------
    InvalidParameters
        If one is unknown or does not fit.
    """
    unknown = [key for key in given if key not in NAMES]
    if unknown:
        hint = did_you_mean(unknown[0], NAMES)
        raise InvalidParameters(f"There is no option {quoted(unknown[0])[1:-1]}; the options are {', '.join(NAMES)}.{hint}")
    values = {**DEFAULTS, **given}
    not_before, timed = times.start(values["delay"], values["at"], now)
    deadline, deadline_timed = times.deadline(values["retry_until"], now)
    if deadline is not None and deadline <= not_before:
        raise InvalidParameters(
            f"{surface.option('retry_until')} is {moments.show(deadline)}, "
            f"which is before the start at {moments.show(not_before)}."
        )
    return Options(
        name=name(values["name"]),
        queue=queue(_else(values["queue"], entry.queue or DEFAULT_QUEUE), settings),
        priority=priority(values["priority"]),
        not_before=not_before,
        is_calendar_time=timed,
        after=(*_after(values["after"], any_outcome=False), *_after(values["after_any"], any_outcome=True)),
        timeout=entry.timeout if values["timeout"] is None else times.limit(values["timeout"]),
        retry_settings=retry_settings(entry, values["retry"]),
        deadline=deadline,
        deadline_is_calendar_time=deadline_timed,
        unique=unique(values["unique"], values["on_duplicate"]),
        on_duplicate=values["on_duplicate"],
        reuse_since=reuse(values["reuse"], now),
    )


def check_for_group(chosen: Options) -> None:
    """Check that the options of a submit make sense for each job of a group.

    Raises
    ------
    InvalidParameters
        If one applies only to a single job.
    """
    if isinstance(chosen.unique, str):
        raise InvalidParameters(
            f"unique={quoted(chosen.unique)} is a key that only one job can hold: for a group pass unique=True, which uses the "
            "target and parameters of each job, or submit those jobs one by one."
        )
    found = ['on_duplicate="existing"'] if chosen.on_duplicate == "existing" else []
    found += [] if chosen.reuse_since is None else ["reuse"]
    if found:
        raise InvalidParameters(
            f"submit_many does not take {found[0]}, which would put an earlier job into the group: submit those jobs one by one."
        )


def mapping(values: Mapping[str, Any] | None, what: str) -> dict[str, Any]:
    """Check parameters passed in Python: a mapping of names.

    Raises
    ------
    InvalidParameters
        If it is not a mapping, or its keys are not text.
    """
    if values is None:
        return {}
    wrong = None if isinstance(values, Mapping) else f"it is of type {type(values).__name__}"
    wrong = wrong or next((f"{quoted(key)} is not a name" for key in values if not isinstance(key, str)), None)
    if wrong:
        raise InvalidParameters(f"{what} must be a dict of names and values, such as {{'epochs': 50}}; {wrong}.")
    return dict(values)


def _else(value: Any, default: Any) -> Any:
    return default if value is None else value


def _after(given: Any, *, any_outcome: bool) -> tuple[tuple[Any, bool], ...]:
    """Return the jobs that a job depends on, given as one or several."""
    if given is None:
        return ()
    several = isinstance(given, Iterable) and not isinstance(given, str) and not hasattr(given, "uid")
    return tuple((each, any_outcome) for each in (given if several else [given]))


def name(given: str | None) -> str | None:
    """Check a job's name.

    Raises
    ------
    InvalidParameters
        If it is not text, is empty, or is a number.
    """
    if given is not None and (
        not isinstance(given, str) or not given.strip() or given.isdigit() or not serialization.is_plain(given)
    ):
        raise InvalidParameters(f"name must be text that is not a number (numbers are job ids); got {quoted(given)}.")
    return given


def key(given: int | str, what: str = "job") -> int | str:
    """Check the key by which a job or group is looked up.

    Raises
    ------
    InvalidParameters
        If it is neither an integer nor text.
    """
    if isinstance(given, bool) or not isinstance(given, (int, str)):
        raise InvalidParameters(f"{what} must be an id (an integer), or a name or uid (text); got {quoted(given)}.")
    return given


def text(given: str | None, what: str) -> str | None:
    """Check a text by which jobs are filtered.

    Raises
    ------
    InvalidParameters
        If it is not text.
    """
    if given is not None and not isinstance(given, str):
        raise InvalidParameters(f"{what} must be text; got {quoted(given)}.")
    return given


def queue(given: str, settings: Settings) -> str:
    """Check that a queue is configured.

    Raises
    ------
    InvalidParameters
        If there is no such queue.
    """
    if not isinstance(given, str) or given not in settings.queues:
        known = ", ".join(settings.queues)
        raise InvalidParameters(f"There is no queue {quoted(given)}; the configured queues are {known} (BackgroundJobs.queues).")
    return given


def priority(given: int) -> int:
    """Check a priority.

    Raises
    ------
    InvalidParameters
        If it is not an integer, or too large to store.
    """
    if isinstance(given, bool) or not isinstance(given, int) or abs(given) >= _PRIORITIES:
        raise InvalidParameters(f"priority must be an integer of at most 18 digits (higher runs first); got {quoted(given)}.")
    return given


def count(given: int, what: str, least: int = 0) -> int:
    """Check a count.

    Raises
    ------
    InvalidParameters
        If it is not an integer, or too small.
    """
    if isinstance(given, bool) or not isinstance(given, int) or given < least:
        raise InvalidParameters(f"{what} must be an integer of at least {least}; got {quoted(given)}.")
    return min(given, _MOST)


def unique(key: str | bool | None, on_duplicate: str) -> str | bool | None:  # noqa: FBT001 - a value of the option
    """Check a unique key, and what to do if another job holds it.

    Raises
    ------
    InvalidParameters
        If the key is not one, or `on_duplicate` is unknown or does not apply.
    """
    if on_duplicate not in ON_DUPLICATE:
        raise InvalidParameters(f"on_duplicate must be one of {', '.join(ON_DUPLICATE)}; got {quoted(on_duplicate)}.")
    if key is None or key is False:
        if on_duplicate != "reject":
            raise InvalidParameters(
                f"{surface.option('on_duplicate')} applies only to a job with a unique key: add {surface.option('unique')}."
            )
        return None
    if key is not True and (not isinstance(key, str) or not key.strip() or not serialization.is_plain(key)):
        raise InvalidParameters(f"unique must be a key (text), or True for target and parameters; got {quoted(key)}.")
    return key


def reuse(given: bool | float | str | None, now: float) -> float | None:  # noqa: FBT001 - a value of the option
    """Check how old a reused job may be; return the earliest time at which it may have finished.

    Raises
    ------
    InvalidParameters
        If it is not a duration.
    """
    if given is None or given is False:
        return None
    return 0.0 if given is True else now - times.duration(given, "reuse")


def retry_settings(entry: AllowedEntry, retry: int | Mapping[str, Any] | None) -> RetrySettings:
    """Return the retry policy of a job: its entry's, with the changes of the submit.

    Raises
    ------
    InvalidParameters
        If a setting is unknown or does not fit.
    """
    if retry is None:
        return entry.rules
    if isinstance(retry, bool):
        raise InvalidParameters(f"retry must be max_attempts (an integer) or a dict of settings; got {retry}.")
    changes = dict(retry) if isinstance(retry, Mapping) else {"max_attempts": retry}
    if "max_attempts" in changes:
        count(changes["max_attempts"], "retry (max_attempts)", least=1)
    unknown = [key for key in changes if key not in _RETRY_SETTINGS]
    if unknown:
        raise InvalidParameters(f"retry has no setting {quoted(unknown[0])}; its settings are {', '.join(_RETRY_SETTINGS)}.")
    try:
        return loading.overridden(entry.rules, changes, "retry")
    except ConfigurationError as error:
        raise InvalidParameters(str(error)) from None


def as_given(settings: RetrySettings) -> dict[str, Any]:
    """Return a retry policy as a user can pass it; without what requests retries, if they were not."""
    given = settings.to_json()
    del given["requested"]
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in given.items()
        if settings.requested or name not in REQUESTING
    }


def calls(given: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Check the calls of a group.

    Raises
    ------
    InvalidParameters
        If they are not a list of dicts.
    """
    if isinstance(given, (str, Mapping)) or not isinstance(given, Iterable):
        raise InvalidParameters("submit_many takes a list of parameters, one dict per job; grid(…) makes one.")
    return list(given)


def check_not_twice(common: Mapping[str, Any], own: Iterable[Mapping[str, Any]]) -> None:
    """Check that no call of a group has a parameter that all of them share.

    Raises
    ------
    InvalidParameters
        If one has.
    """
    for number, each in enumerate(own):
        twice = [key for key in each if key in common]
        if twice:
            raise InvalidParameters(f"{twice[0]} is in common and in call {number}: pass it only once.")
