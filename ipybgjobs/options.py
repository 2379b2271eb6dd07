"""The options of a submit, checked: each refusal is one sentence that names the option, the rule and the fix."""

from collections.abc import Mapping
from typing import Any

from . import durations, plain
from .configuration import loading
from .errors import ConfigurationError, InvalidParameters
from .retry import RetryRules
from .settings import AllowedEntry, Settings


def mapping(values: Mapping[str, Any] | None, what: str) -> dict[str, Any]:
    """Check parameters given in Python: a mapping of names."""
    if values is None:
        return {}
    if not isinstance(values, Mapping) or not all(isinstance(key, str) for key in values):
        kind = type(values).__name__
        raise InvalidParameters(f"{what} must be a dict of names and values, such as {{'epochs': 50}}; it is a {kind}.")
    return dict(values)


def duration(value: float | str, what: str) -> float:
    """Check a duration, and return seconds."""
    try:
        return durations.seconds(value, what)
    except ValueError as error:
        raise InvalidParameters(str(error)) from None


def name(given: str | None) -> str | None:
    """Check a job's name."""
    if given is not None and (not isinstance(given, str) or not given.strip() or given.isdigit() or not plain.is_plain(given)):
        raise InvalidParameters(f"name is {given!r}; a name is text, and no number, which would be an id.")
    return given


def queue(given: str, settings: Settings) -> str:
    """Check that a queue is configured."""
    if given not in settings.queues:
        known = ", ".join(settings.queues)
        raise InvalidParameters(f"There is no queue {given!r}; the configuration has {known} (BackgroundJobs.queues).")
    return given


def priority(given: int) -> int:
    """Check a priority."""
    if isinstance(given, bool) or not isinstance(given, int) or abs(given) >= 1 << 63:
        raise InvalidParameters(f"priority is {given!r}; it is a whole number, a higher one goes first.")
    return given


def rules(entry: AllowedEntry, retry: int | Mapping[str, Any] | None) -> RetryRules:
    """Return the retry policy of a job: its entry's, with what the submit changes."""
    if retry is None:
        return entry.rules
    if isinstance(retry, bool):
        raise InvalidParameters(f"retry is {retry}; it is max_attempts, a whole number, or a dict of settings.")
    changes = dict(retry) if isinstance(retry, Mapping) else {"max_attempts": retry}
    unknown = [key for key in changes if key not in RetryRules.__slots__]
    if unknown:
        raise InvalidParameters(f"retry has no setting {unknown[0]!r}; it has {', '.join(RetryRules.__slots__)}.")
    try:
        return loading.overridden(entry.rules, changes, "retry")
    except ConfigurationError as error:
        raise InvalidParameters(str(error)) from None
