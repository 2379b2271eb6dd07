"""Durations: seconds as numbers, or text such as ``"30s"``, ``"5m"``, ``"2h"``, ``"1h 30m"``; never reads a clock."""

import re

from .redaction import quoted

#: Longest duration, in seconds: ten thousand years, which every clock can still represent.
LONGEST = 3.2e11

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
#: Possessive, without backtracking, so that a long text is read only once.
_PART = re.compile(r"\s*+(\d++(?:\.\d++)?+)\s*+(ms|[smhdw])\s*+")


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
        raise ValueError(_form(value, what))  # noqa: TRY004 - one kind of error
    if not 0 <= value <= LONGEST:  # false for NaN too
        raise ValueError(f"{what} must be finite and not negative; got {quoted(value)}.")
    return float(value) + 0.0  # a zero without a sign


def limit(value: float | str, what: str) -> float:
    """Turn a time limit into seconds: like `seconds`, but longer than zero.

    Raises
    ------
    ValueError
        If it is not a duration, or is zero.
    """
    found = seconds(value, what)
    if not found:
        raise ValueError(f"{what} must be longer than zero, or left out for no limit; got {quoted(value)}.")
    return found


def _parse(text: str, what: str) -> float:
    try:
        return seconds(_amount(text), what)
    except ValueError:
        raise ValueError(_form(text, what)) from None


def _form(value: object, what: str) -> str:
    return f'{what} must be seconds or text such as "30s", "5m", "2h"; got {quoted(value)}.'


def _amount(text: str) -> float:
    total, position = 0.0, 0
    while part := _PART.match(text, position):
        total, position = total + float(part[1]) * _UNITS[part[2]], part.end()
    return total if position and position == len(text) else float(text)


def show(value: float) -> str:
    """Show seconds in the usual units: ``12 ms``, ``0.3 s``, ``12 s``, ``3 m 20 s``, ``2 h 5 m``, ``3 d 4 h``."""
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
