"""JSON that anybody may have written: parsed whole, or refused with one kind of error.

How deep a parser follows differs between versions of Python: since 3.12 what it returns can be nested ten times deeper than a
function of Python can follow. So depth has a limit of its own here. Workers load it, so it imports next to nothing.
"""

import json
from collections.abc import Callable
from typing import Any

#: Lists and objects within each other that are read; whatever walks through them needs a few frames for each.
DEEPEST = 200


class TooDeep(ValueError):  # noqa: N818 - what is wrong says its name
    """JSON that is nested too deeply, or too large for the memory there is."""


def parse(text: str | bytes, parse_constant: Callable[[str], Any] | None = None) -> Any:
    """Parse JSON.

    Parameters
    ----------
    text : str or bytes
        The whole text; bytes are UTF-8, UTF-16 or UTF-32.
    parse_constant : callable, optional
        Given ``NaN``, ``Infinity`` or ``-Infinity``, returns what stands for it; by default the float.

    Returns
    -------
    object
        The value, nested no deeper than `DEEPEST`.

    Raises
    ------
    ValueError
        If it is not JSON; a `TooDeep` if it is nested deeper, or is too large for the memory there is.
    """
    try:
        value = json.loads(text, parse_constant=parse_constant)
    except (RecursionError, MemoryError) as error:
        raise TooDeep(f"it can't be parsed: {type(error).__name__}") from None
    if _may_be_deep(text):
        check_depth(value)
    return value


def check_depth(value: Any) -> None:
    """See to it that `parse` will take what is about to be written.

    Raises
    ------
    TooDeep
        If lists and objects in the value are nested deeper than `DEEPEST`.
    """
    if _is_deep(value):
        raise TooDeep(f"it is nested more than {DEEPEST} levels deep")


def _may_be_deep(text: str | bytes) -> bool:
    """Whether a text has enough brackets for it, also in UTF-32."""
    brackets = ("[", "{") if isinstance(text, str) else (b"[", b"{")
    return sum(map(text.count, brackets)) > DEEPEST  # type: ignore[arg-type] # each of the type of the text


def _is_deep(value: Any) -> bool:
    """Whether lists and objects are nested deeper than is read; level by level, since a recursion would fail by its depth."""
    level = [value]
    for _ in range(DEEPEST + 1):
        inside = [each.values() if type(each) is dict else each for each in level if type(each) in (dict, list, tuple)]
        if not inside:
            return False
        level = [item for items in inside for item in items]
    return True
