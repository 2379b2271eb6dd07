"""Decide which values survive JSON unchanged, which need a pickle, and by which key a pickled one is kept.

Workers load it, so it imports nothing at the top.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

_Value = TypeVar("_Value")

#: The parts of a call that have values of their own: the constructor, the method, code that is sent by value, and the instance.
INIT, PARAMS, CODE, INSTANCE = "init", "params", "code", "instance"

#: The name of the instance whose method is called, in its part; and its key.
SELF, INSTANCE_KEY = "self", "instance.self"

_ATOMS = (type(None), bool, float)

#: Most bits of an integer that Python still writes as text, with a margin.
_LONGEST_INT = 8192

_DEEPEST = 50

#: Most keys of a dict that are shown.
_MOST_KEYS = 6


def is_plain(value: Any, depth: int = 0) -> bool:
    """Return whether JSON preserves the value: exact types, text keys, no tuple that would become a list."""
    kind = type(value)
    if kind is str:
        return value.isascii() or _encodable(value)
    if kind is int:
        return bool(value.bit_length() <= _LONGEST_INT)
    if kind in _ATOMS or depth > _DEEPEST:
        return kind in _ATOMS
    if kind is list:
        return all(is_plain(item, depth + 1) for item in value)
    if kind is dict:
        return all(type(key) is str and is_plain(key) and is_plain(item, depth + 1) for key, item in value.items())
    return False


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def key(part: str, name: str) -> str:
    """Return the key of a value that is not plain: ``init.NAME``, ``params.NAME``, ``code.NAME``, ``instance.self``."""
    return f"{part}.{name}"


def split_key(key: str) -> tuple[str, str]:
    """Return the part of a call that a key belongs to, and the name in it."""
    part, _, name = key.partition(".")
    return part, name


def of_part(values: Mapping[str, _Value], part: str) -> dict[str, _Value]:
    """Return those of several values that belong to one part of a call, by name."""
    prefix = f"{part}."
    return {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}


def dump(value: Any) -> bytes:
    """Pickle a value with cloudpickle, protocol 5.

    Raises
    ------
    Exception
        Whatever the value raises when it is pickled.
    """
    from . import by_value

    return by_value.dump(value)


def load(content: bytes) -> Any:
    """Load what `dump` of this or an older version wrote; classes that this process knows by value are left as they are."""
    import sys

    if "cloudpickle" in sys.modules:
        from . import by_value

        return by_value.load(content)
    import io

    from .former_names import Unpickler

    return Unpickler(io.BytesIO(content)).load()


def digest(value: Any) -> str:
    """Return a digest of a value, the same in every process: sets, whose order differs, count by their items.

    Raises
    ------
    Exception
        Whatever the value raises when it is pickled.
    """
    return _digest(value).hex()


def _digest(value: Any) -> bytes:
    import hashlib

    from . import by_value

    kind = type(value)
    if kind is SealedValue:
        return bytes(value.digest)
    found = hashlib.sha256(kind.__name__.encode())
    if kind in (set, frozenset):
        found.update(b"".join(sorted(map(_digest, value))))
    elif kind in (list, tuple):
        found.update(b"".join(map(_digest, value)))
    elif kind is dict:
        found.update(b"".join(_digest(item) for pair in value.items() for item in pair))
    else:
        found.update(by_value.dump(value, lambda block: found.update(block.raw())))  # large blocks are not copied
    return found.digest()


def name_of_type(value: Any) -> str:
    """Return the name of a value's type, even if the type overrides it."""
    return str(type.__dict__["__name__"].__get__(type(value)))


def describe(value: Any) -> str:
    """Describe a value that is not shown whole: its type, and its shape or keys if it has any."""
    kind = name_of_type(value)
    if type(value) is SealedValue:
        return str(value.description)
    if type(value) is dict and value and all(type(key) is str and key.isidentifier() for key in value):
        more = ", …" if len(value) > _MOST_KEYS else ""
        return f"<{kind} of {', '.join(list(value)[:_MOST_KEYS])}{more}>"
    try:
        shape = getattr(value, "shape", None)
    except Exception:  # a proxy may raise on every access
        shape = None
    return f"<{kind} {'×'.join(map(str, shape))}>" if isinstance(shape, tuple) and shape else f"<{kind}>"


class SealedValue:
    """A value of a class that is not imported here: its pickle, and what is said of it.

    Parameters
    ----------
    content : bytes
        Its pickle.
    digest : bytes
        What tells it from other values.
    shown : tuple of (str, str)
        What is shown of it alone, and how it is written within another value.
    hidden : tuple of (tuple of str, tuple of str)
        The secret texts in it, and how it would appear in a text, to be hidden if it is a secret itself.
    is_sent : bool
        Whether it is on its way to the process that passes it on.
    """

    def __init__(
        self,
        content: bytes,
        digest: bytes,
        shown: tuple[str, str],
        hidden: tuple[tuple[str, ...], tuple[str, ...]],
        is_sent: bool = True,  # noqa: FBT001, FBT002 - it is passed by pickle alone
    ) -> None:
        self._content = content
        self._shown = shown
        self._hidden = hidden
        self._is_sent = is_sent
        self.digest = digest

    @property
    def description(self) -> str:
        """Return what is shown of it alone."""
        return self._shown[0]

    def __repr__(self) -> str:
        """Return how it is written within another value."""
        return self._shown[1]

    def parts_to_redact(self) -> list[tuple[str | None, str]]:
        """Return its secret texts, each under a name that hides it, and how it would appear in a text."""
        secrets, texts = self._hidden
        return [*(("secret", each) for each in secrets), *((None, each) for each in texts)]

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to rebuild it: sealed in the process that passes it on, as the value itself in a job."""
        if not self._is_sent:
            return load, (self._content,)
        return SealedValue, (self._content, self.digest, self._shown, self._hidden, False)
