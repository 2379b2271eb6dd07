"""Calendar times, typed as local time; never reads a clock.

Daylight saving makes some local times exist twice and some not at all: of two, the first is meant; one that does not exist is
refused. An offset (``+01:00``) makes a time unambiguous.
"""

import contextlib
import datetime as dt
import time

from .redaction import quoted


def parse(value: "str | dt.datetime", now: float, what: str = "at") -> float:
    """Turn a future time into seconds since the epoch.

    Parameters
    ----------
    value : str or datetime
        ``"2026-11-24 22:30"``, also with seconds or an offset, or ``"22:30"``: the next one. Without an offset: local time.
    now : float
        Seconds since the epoch.
    what : str
        The name of the option, for the message.

    Raises
    ------
    ValueError
        If it can't be parsed, does not exist, or is in the past.
    """
    moment = _read(value, now, what)
    if moment <= now:
        raise ValueError(f"{what} must be a time in the future; got {_typed(value)} ({show(moment)}).")
    return moment


def _typed(value: object) -> str:
    return quoted(str(value) if isinstance(value, dt.datetime) else value)


def _read(value: "str | dt.datetime", now: float, what: str) -> float:
    moment = _understood(value.strip()) if isinstance(value, str) else value
    if isinstance(moment, dt.datetime):
        return _seconds(moment, what)
    if isinstance(moment, dt.time):
        return _next(moment, now, what)
    raise ValueError(f'{what} must be a time such as "2026-11-24 22:30" or "22:30", or a datetime; got {_typed(value)}.')


def _understood(text: str) -> dt.datetime | dt.time | None:
    """Return the time that a text means; None if it means none."""
    for read in (dt.datetime.fromisoformat, dt.time.fromisoformat):
        with contextlib.suppress(ValueError):
            return read(text)
    return None


def _next(clock: dt.time, now: float, what: str) -> float:
    """Return the next occurrence of a clock time: today or tomorrow."""
    today = dt.datetime.fromtimestamp(now, clock.tzinfo)
    moment = _seconds(dt.datetime.combine(today.date(), clock), what)
    return moment if moment > now else _seconds(dt.datetime.combine(today.date() + dt.timedelta(days=1), clock), what)


def _seconds(moment: dt.datetime, what: str) -> float:
    try:
        seconds = moment.timestamp()
        exists = moment.tzinfo is not None or dt.datetime.fromtimestamp(seconds) == moment.replace(fold=0)  # noqa: DTZ006 - local is meant
    except (OverflowError, OSError, ValueError):
        raise ValueError(f"{what} is {_typed(moment)}, which is out of range.") from None
    if not exists:
        raise ValueError(
            f"{what} is {_typed(moment)}, which does not exist here because clocks go forward over it: "
            "give another time, or an offset."
        )
    return seconds


def iso(seconds: float | None) -> str | None:
    """Return a moment as ISO 8601 text in UTC; None for None."""
    return None if seconds is None else dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat()


def show(seconds: float) -> str:
    """Return a time as local time with its zone."""
    return time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(seconds))


def show_near(seconds: float, now: float) -> str:
    """Return a time in short form: ``18:04``, ``yesterday 18:04``, ``2026-11-20 18:04``."""
    moment = dt.datetime.fromtimestamp(seconds)  # noqa: DTZ006 - local is meant
    days = (dt.datetime.fromtimestamp(now).date() - moment.date()).days  # noqa: DTZ006 - local is meant
    clock = moment.strftime("%H:%M")
    if days in (0, 1):
        return f"yesterday {clock}" if days else clock
    return f"{moment:%Y-%m-%d} {clock}"
