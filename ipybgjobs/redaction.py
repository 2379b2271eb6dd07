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
    "token",
    "*_token",
    "*authtoken*",
    "*apitoken*",
    "*accesstoken*",
    "*apikey*",
    "*credential*",
    "*privatekey*",
    "*accesskey*",
)

#: A secret that is shorter would blank half of any text.
_SHORTEST = 4

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
    patterns = tuple(names)
    if isinstance(value, dict):
        hidden = set(patterns) | set(secret_names((key for key in value if isinstance(key, str)), SECRET_NAMES))
        return {key: BLANK if key in hidden else blanked(item, patterns) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(blanked(item, patterns) for item in value) if type(value) in (list, tuple) else value
    return value


def without(text: str, secrets: Iterable[str]) -> str:
    """Remove secret values from a text; values shorter than four characters would blank half of it and stay."""
    forms = {form for secret in secrets if len(secret) >= _SHORTEST for form in (secret, repr(secret)[1:-1])}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, BLANK)
    return text


def secrets_in(value: Any, names: Iterable[str], *, secret: bool = False) -> list[str]:
    """The texts in plain data that are secret: below a key in `names`, or below one that is named like a secret."""
    if isinstance(value, dict):
        hidden = {*names, *secret_names((key for key in value if isinstance(key, str)), SECRET_NAMES)}
        items = [(item, secret or key in hidden) for key, item in value.items()]
    elif isinstance(value, (list, tuple)):
        items = [(item, secret) for item in value]
    else:
        return [str(value)] if secret and value is not None and not isinstance(value, bool) else []
    return [found for item, inside in items for found in secrets_in(item, names, secret=inside)]


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
    return f"{text[: longest - half - 1]}…{text[len(text) - half :]}"
