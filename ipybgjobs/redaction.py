"""What may be shown: secrets blanked, and text that stays on its line.

Pure functions; they decide nothing about where the text goes.
"""

import fnmatch
from collections.abc import Iterable
from typing import Any

#: What stands in the place of a secret.
BLANK = "•••"

#: Parameter names that hold secrets, as patterns; case and underscores do not count.
SECRET_NAMES = (
    "*password*",
    "*passwd*",
    "*secret*",
    "*token*",
    "*apikey*",
    "*credential*",
    "*privatekey*",
    "*accesskey*",
)

#: Longest text that a value is shown by.
LONGEST = 60


def secret_names(names: Iterable[str], patterns: Iterable[str]) -> tuple[str, ...]:
    """Those of `names` that match one of the `patterns`."""
    wanted = [_folded(pattern) for pattern in patterns]
    return tuple(name for name in names if any(fnmatch.fnmatchcase(_folded(name), pattern) for pattern in wanted))


def _folded(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def blanked(value: Any, names: Iterable[str]) -> Any:
    """Copy plain data with the values of the keys in `names` blanked, at any depth."""
    if isinstance(value, dict):
        patterns = tuple(names)
        hidden = set(patterns) | set(secret_names((key for key in value if isinstance(key, str)), SECRET_NAMES))
        return {key: BLANK if key in hidden else blanked(item, patterns) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(blanked(item, names) for item in value) if type(value) in (list, tuple) else value
    return value


def without(text: str, secrets: Iterable[str]) -> str:
    """Remove secret values from a text; values shorter than four characters would blank half of it and stay."""
    for secret in sorted({secret for secret in secrets if len(secret) >= 4}, key=len, reverse=True):  # noqa: PLR2004
        text = text.replace(secret, BLANK)
    return text


def one_line(text: str) -> str:
    r"""Escape everything that could start a new line or steer a terminal: ``\n``, ``\x1b``, U+2028 ..."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escaped(character) for character in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def cut(text: str, longest: int = LONGEST) -> str:
    """Cut a text in its middle to at most `longest` characters."""
    if len(text) <= longest:
        return text
    half = (longest - 1) // 2
    return f"{text[: longest - half - 1]}…{text[-half:]}"
