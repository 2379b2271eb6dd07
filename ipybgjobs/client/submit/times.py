"""Durations and times that users pass, checked: each refusal is one sentence. It never reads a clock: the time is passed in."""

import math
import numbers
from typing import Any

from ...errors import InvalidParameters
from ...model import durations, moments


def duration(value: float | str, what: str) -> float:
    """Check a duration, and return seconds.

    Raises
    ------
    InvalidParameters
        If it is not a duration.
    """
    try:
        return durations.seconds(value, what)
    except ValueError as error:
        raise InvalidParameters(str(error)) from None


def limit(value: float | str) -> float:
    """Check the time limit of an attempt, and return seconds.

    Raises
    ------
    InvalidParameters
        If it is not a duration above zero.
    """
    try:
        return durations.limit(value, "timeout")
    except ValueError as error:
        raise InvalidParameters(str(error)) from None


def wait_timeout(value: float | str | None) -> float | None:
    """Check how long to wait, and return seconds; None: no limit; a negative number counts as zero.

    Raises
    ------
    InvalidParameters
        If it is not a duration.
    """
    if value is None or value == math.inf:
        return None
    if isinstance(value, numbers.Real) and not isinstance(value, bool) and not math.isnan(value):
        return max(0.0, float(value))
    return duration(value, "timeout")


def moment(value: Any, now: float, what: str) -> float:
    """Check a calendar time, and return seconds since the epoch.

    Raises
    ------
    InvalidParameters
        If it is not a time in the future.
    """
    try:
        return moments.parse(value, now, what)
    except ValueError as error:
        raise InvalidParameters(str(error)) from None


def start(delay: float | str | None, at: Any, now: float) -> tuple[float, bool]:
    """Return when a job may start, in seconds since the epoch, and whether that is a calendar time.

    Raises
    ------
    InvalidParameters
        If both are given, or one is not a time.
    """
    if delay is not None and at is not None:
        raise InvalidParameters("delay and at both set the start time: pass only one of them.")
    if at is not None:
        return moment(at, now, "at"), True
    return now + (0.0 if delay is None else duration(delay, "delay")), False


def deadline(value: Any, now: float) -> tuple[float | None, bool]:
    """Return when a job must have finished, given as a duration or a time, and whether that is a calendar time.

    Raises
    ------
    InvalidParameters
        If it is neither.
    """
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
        raise InvalidParameters(str(error).replace("must be a time", 'must be a duration such as "2h", or a time')) from None


def grace_seconds(grace: float | str | None) -> float | None:
    """Check how long each step of a cancel may take; None: as configured.

    Raises
    ------
    InvalidParameters
        If it is not a duration.
    """
    return None if grace is None else duration(grace, "grace")
