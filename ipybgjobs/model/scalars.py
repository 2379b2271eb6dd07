"""Values that are one number, text or boolean, also those of numpy and torch, as plain ones to compare jobs by.

Workers load it, so it imports next to nothing.
"""

import math
from typing import Any

#: A plain value: one number, text or boolean.
Scalar = bool | int | float | str

#: Longest text that is kept, in characters; most names, and the longest name.
LONGEST, MOST, LONGEST_NAME = 1000, 200, 200

#: Bits of the largest integer that is kept exactly, as JSON readers do.
_BITS = 63


def plain(value: Any) -> Scalar | None:
    """Return a value as a plain one; None if it is not one number, text or boolean.

    Parameters
    ----------
    value : object
        Any value; one without dimensions gives what its ``item()`` returns.
    """
    if isinstance(value, bool):
        return bool(value)
    if isinstance(value, str):
        return str(value)[:LONGEST].encode(errors="replace").decode()
    if isinstance(value, int):
        return int(value) if abs(int(value)).bit_length() <= _BITS else _as_float(int(value))
    if isinstance(value, float):
        return float(value)
    item = getattr(value, "item", None)
    return plain(item()) if callable(item) and getattr(value, "ndim", None) == 0 else None


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def of(values: dict[Any, Any]) -> dict[str, Scalar]:
    """Return those of several values that are plain ones, by name; not more than can be read."""
    found = {name: plain(value) for name, value in list(values.items())[:MOST] if type(name) is str}
    return {name: value for name, value in found.items() if value is not None and 0 < len(name) <= LONGEST_NAME}


def read(values: Any) -> dict[str, Scalar]:
    """Return the plain values in what was read from a file that anyone may have written."""
    return of(values) if isinstance(values, dict) else {}


def show(values: dict[str, Scalar]) -> str:
    """Return values as text: ``auc=0.93, phase=training``."""
    return ", ".join(f"{name}={value:.4g}" if type(value) is float else f"{name}={value}" for name, value in values.items())


def for_json(values: dict[str, Scalar]) -> dict[str, Scalar]:
    """Return values with those that JSON has not (NaN and the infinities) as text."""
    return {name: value if isinstance(value, str) or math.isfinite(value) else str(value) for name, value in values.items()}
