"""Durations: seconds as numbers, or text such as ``"30s"``, ``"5m"``, ``"2h"``, ``"1h 30m"``; never reads a clock."""

import re

#: The longest duration, in seconds: ten thousand years, which every clock can still add.
LONGEST = 3.2e11

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|[smhdw])\s*")


def seconds(value: float | str, what: str = "duration") -> float:
    """Turn a duration into seconds.

    Parameters
    ----------
    value : float or str
        Seconds, or a number with a unit (``ms s m h d w``); parts may follow each other.
    what : str
        What the duration is, for the message.

    Returns
    -------
    float
        Seconds, finite and not negative.

    Raises
    ------
    ValueError
        If it is neither, negative, or not finite.
    """
    if isinstance(value, str):
        return _parse(value, what)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f'{what} is {value!r}; give seconds or text such as "30s", "5m", "2h".')  # noqa: TRY004 - one kind of fault
    if not 0 <= value <= LONGEST:  # false for NaN too
        raise ValueError(f"{what} is {repr(value)[:30]}; a duration is finite and not negative.")
    return float(value)


def _parse(text: str, what: str) -> float:
    try:
        return seconds(_amount(text), what)
    except ValueError:
        raise ValueError(f'{what} is {text[:30]!r}; give seconds or text such as "30s", "5m", "2h".') from None


def _amount(text: str) -> float:
    parts = list(_PART.finditer(text))
    if parts and "".join(part.group(0) for part in parts) == text:
        return sum(float(part.group(1)) * _UNITS[part.group(2)] for part in parts)
    return float(text)


def show(value: float) -> str:
    """Show seconds as a person would write them: ``12 ms``, ``0.3 s``, ``12 s``, ``3 m 20 s``, ``2 h 5 m``, ``3 d 4 h``."""
    if 0.0005 <= value < 0.0995:  # noqa: PLR2004 - then milliseconds are worth reading
        return f"{value * 1000:.0f} ms"
    if value < 10:  # noqa: PLR2004 - below ten seconds a decimal is worth reading
        return f"{value:.1f} s"
    whole = round(value)
    for unit, size, smaller, step in (("d", 86400, "h", 3600), ("h", 3600, "m", 60), ("m", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // step
            return f"{whole // size} {unit} {rest} {smaller}" if rest else f"{whole // size} {unit}"
    return f"{whole} s"
