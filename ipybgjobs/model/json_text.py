"""Parse JSON that anyone may have written: whole, or refused with one kind of error.

How deep the parser goes differs between Python versions: since 3.12, its results can be nested ten times deeper than a
Python function can recurse. So depth has its own limit here. Workers load it, so it imports next to nothing.
"""

import json
from collections.abc import Callable
from typing import Any

#: Deepest nesting of lists and objects; walking through them needs a few frames for each level.
DEEPEST = 200


class TooDeep(ValueError):  # noqa: N818 - the name says what is wrong
    """JSON that is nested too deeply, or too large for the available memory."""


def parse(text: str | bytes, parse_constant: Callable[[str], Any] | None = None) -> Any:
    """Parse JSON.

    Parameters
    ----------
    text : str or bytes
        The whole text; bytes are UTF-8, UTF-16 or UTF-32.
    parse_constant : callable, optional
        Takes ``NaN``, ``Infinity`` or ``-Infinity``, and returns its replacement; by default the float.

    Returns
    -------
    object
        The value, nested no deeper than `DEEPEST`.

    Raises
    ------
    ValueError
        If it is not JSON; `TooDeep` if it is nested deeper, or too large for the available memory.
    """
    try:
        value = json.loads(text, parse_constant=parse_constant)
    except (RecursionError, MemoryError) as error:
        raise TooDeep(f"it can't be parsed: {type(error).__name__}") from None
    if _may_be_deep(text):
        check_depth(value)
    return value


def check_depth(value: Any) -> None:
    """Check that `parse` will accept a value that is about to be written.

    Raises
    ------
    TooDeep
        If lists and objects in the value are nested deeper than `DEEPEST`.
    """
    if _is_deep(value):
        raise TooDeep(f"it is nested more than {DEEPEST} levels deep")


def _may_be_deep(text: str | bytes) -> bool:
    """Return whether a text has enough brackets to be too deep, also in UTF-32."""
    brackets = ("[", "{") if isinstance(text, str) else (b"[", b"{")
    return sum(map(text.count, brackets)) > DEEPEST  # type: ignore[arg-type] # each of the type of the text


def _is_deep(value: Any) -> bool:
    """Return whether a value is nested too deeply; level by level, because a recursion would itself go too deep."""
    level = [value]
    for _ in range(DEEPEST + 1):
        inside = [each.values() if type(each) is dict else each for each in level if type(each) in (dict, list, tuple)]
        if not inside:
            return False
        level = [item for items in inside for item in items]
    return True
