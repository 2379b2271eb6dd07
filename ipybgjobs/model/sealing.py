"""Seal values whose classes another process has not imported, so that it can pass them on and say what they are.

Where a sealed value is loaded from what a job stores, it is the value itself again.
"""

import sys
from typing import Any

from . import redaction, serialization
from .serialization import SealedValue

#: Packages whose modules a process may always import: the standard library's, and this one.
_COMMON = sys.stdlib_module_names - {"__main__"} | {__package__.partition(".")[0]}


def seal(value: Any, loaded: frozenset[str], secrets: tuple[str, ...]) -> Any:
    """Return a value with what is of other classes sealed.

    Parameters
    ----------
    value : Any
        A converted parameter.
    loaded : frozenset of str
        The modules that the process has imported to which the value is returned.
    secrets : tuple of str
        Names whose values appear in no message.
    """
    kind = type(value)
    if kind is dict:
        return {seal(key, loaded, secrets): seal(item, loaded, secrets) for key, item in value.items()}
    if kind in (list, tuple, set, frozenset):
        return kind(seal(each, loaded, secrets) for each in value)
    is_known = kind.__module__ in loaded or kind.__module__.partition(".")[0] in _COMMON
    return value if is_known else _sealed(value, secrets)


def _sealed(value: Any, secrets: tuple[str, ...]) -> SealedValue:
    shown = serialization.describe(value), redaction.cut(repr(redaction.blanked(value, secrets)))
    hidden = tuple(redaction.secrets_in(value, secrets)), tuple(redaction.secrets_in(value, secrets, secret=True))
    return SealedValue(serialization.dump(value), bytes.fromhex(serialization.digest(value)), shown, hidden)
