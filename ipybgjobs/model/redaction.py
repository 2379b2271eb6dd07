"""What may be shown: secrets blanked, and text that stays on its line. The one rule of what is secret, for every surface.

A value is secret by the name that it stands under, at any depth, or by its form: the password of a URL, what follows ``Bearer``.
Pure functions; they decide nothing about where the text goes. Workers load it when they show something.
"""

import fnmatch
import functools
import itertools
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

#: What stands in the place of a secret.
BLANK = "•••"

#: Names that hold secrets, as patterns; case and underscores do not count. Those of the configuration come on top.
SECRET_NAMES = (
    "*password*",
    "*passwd*",
    "*passphrase*",
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
    "*sshkey*",
    "*sessionkey*",
    "*signingkey*",
    "*encryptionkey*",
    "*masterkey*",
    "*accountkey*",
    "*sharedkey*",
    "*deploykey*",
    "*authkey*",
    "*connectionstring*",
    "*connstring*",
)

#: Words that make a name secret where they stand in it, as in ``session_cookie``; ``bypass`` and ``author`` have none of them.
_WORDS = frozenset({"authorization", "bearer", "cookie", "cookies", "dsn", "jwt", "jwts"})

#: Words that make a name secret where they stand last: ``db_pass`` and ``card_pin``, but not ``pass_rate`` and ``pin_memory``.
_LAST_WORDS = frozenset({"auth", "pass", "pat", "pin", "pwd"})

#: The working directory of a shell.
_NO_SECRETS = frozenset({"PWD", "OLDPWD"})

#: A secret that is shorter would blank half of any text: there it is blanked only where it stands in quotes.
_SHORTEST = 4

#: Longest text that a value is shown by.
LONGEST = 60

#: Python refuses to write out much longer numbers.
_MOST_BITS = 1000

#: How deep values are looked into; what is deeper is not shown.
_DEEPEST = 200

#: How many objects of the user's classes are looked into; a model may hang together with millions.
_MOST_OBJECTS = 1000

#: What is secret by its form: the password of a URL, a parameter of its query, the value of an ``Authorization``.
_FORMS = (
    re.compile(r"""://[^\s/:@'"<>]{0,200}:(?P<secret>[^\s/@'"<>]{1,500})@"""),
    re.compile(r"""[?&](?P<name>[\w-]{1,100})=(?P<secret>[^\s&#'"<>]{1,500})"""),
    re.compile(r"""\b(?:[Bb]earer|[Bb]asic)[ ]+(?P<secret>(?=[\w.~+/-]*(?:[0-9=]|[a-z][A-Z]))[\w.~+/-]{8,2000}=*)"""),
)

_PART_OF_NAME = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def secret_names(names: Iterable[str], patterns: Iterable[str]) -> tuple[str, ...]:
    """Those of `names` that match one of the `patterns`, or are secret in any case."""
    wanted = [_folded(pattern) for pattern in patterns]
    return tuple(
        name for name in names if _is_secret(name) or any(fnmatch.fnmatchcase(_folded(name), pattern) for pattern in wanted)
    )


@functools.lru_cache(maxsize=4096)
def _is_secret(name: str) -> bool:
    """Whether a name is secret whatever the configuration says."""
    if name in _NO_SECRETS:
        return False
    words = [word.lower() for word in _PART_OF_NAME.findall(name)]
    if words and (words[-1] in _LAST_WORDS or not _WORDS.isdisjoint(words)):
        return True
    return any(fnmatch.fnmatchcase(_folded(name), _folded(pattern)) for pattern in SECRET_NAMES)


def _folded(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _hides(name: Any, names: frozenset[str]) -> bool:
    return isinstance(name, str) and (name in names or _is_secret(name))


def names_in(value: Any) -> set[str]:
    """Every name that something stands under in a value, at any depth."""
    return {name for name, _, _ in _Walk(frozenset()).over(value) if name is not None}


def secrets_in(value: Any, names: Iterable[str], *, secret: bool = False) -> list[str]:
    """The texts in a value that are secret: below a key or field in `names`, below one that is named so, or by their form."""
    found: list[str] = []
    for _, item, hidden in _Walk(frozenset(names)).over(value, secret=secret):
        if isinstance(item, str):
            found += [match["secret"] for match in _by_form(item)]
        if hidden:
            found += _texts(item)
    return found


def _texts(value: Any) -> list[str]:
    """How a secret may stand in a text."""
    if value is None or isinstance(value, bool):
        return []
    if isinstance(value, (bytes, bytearray)):
        return [str(value), value.decode("utf-8", "replace")]
    try:
        return [str(value)]
    except Exception:
        return []


class _Walk:
    """Goes through what a value holds; through each object of the user's classes once, and not through any number of them."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._seen: dict[int, Any] = {}  # the objects, too, so that no other gets the same identity

    def over(
        self, value: Any, name: str | None = None, depth: int = 0, *, secret: bool = False
    ) -> Iterator[tuple[str | None, Any, bool]]:
        """Every name, with what is there that holds nothing else, and whether it stands below a secret name."""
        parts = self._parts(value) if depth < _DEEPEST else None
        yield name, value if parts is None else None, secret
        for each, item in parts or ():
            yield from self.over(item, each, depth + 1, secret=secret or _hides(each, self._names))

    def _parts(self, value: Any) -> list[tuple[str | None, Any]] | None:
        """What a value holds, each with the name that it stands under; None where it holds nothing."""
        if isinstance(value, dict):
            return [(key if isinstance(key, str) else None, item) for key, item in value.items()]
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return list(zip(value._fields, value, strict=False))
        if isinstance(value, tuple) and _is_pair(value):
            return [(None, value[0]), (value[0], value[1])]
        if isinstance(value, (list, tuple, set, frozenset)):
            return [(None, item) for item in value]
        return self._fields(value)

    def _fields(self, value: Any) -> list[tuple[str | None, Any]] | None:
        fields = _fields(value)
        if not fields or id(value) in self._seen or len(self._seen) >= _MOST_OBJECTS:
            return None
        self._seen[id(value)] = value
        return fields


def _is_pair(value: tuple[Any, ...]) -> bool:
    """Whether it may be a name with its value."""
    return len(value) == 2 and isinstance(value[0], str)  # noqa: PLR2004 - the two


def _fields(value: Any) -> list[tuple[str | None, Any]]:
    """What an object of a user's class bears: dataclasses, models of pydantic, any other; none of arrays and tables."""
    kind = type(value)
    if isinstance(value, type) or kind.__module__ == "builtins" or hasattr(kind, "shape"):
        return []
    try:
        if hasattr(kind, "get_secret_value"):
            return [("secret", value.get_secret_value())]
        slots = [name for base in kind.__mro__ for name in _slots(base) if hasattr(value, name)]
        return [*getattr(value, "__dict__", {}).items(), *((name, getattr(value, name)) for name in slots)]
    except Exception:  # an object may do anything when it is asked
        return []


def _slots(kind: type) -> tuple[str, ...]:
    slots = vars(kind).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


def blanked(value: Any, names: Iterable[str]) -> Any:
    """Copy a value with what is secret blanked, at any depth: what stands under one of `names`, and what is secret in any case.

    An object becomes what shows its repr, blanked too.
    """
    return _blanked(value, frozenset(names), 0)


def _blanked(value: Any, names: frozenset[str], depth: int) -> Any:
    if depth > _DEEPEST:
        return BLANK
    if isinstance(value, str):
        clean = _without_forms(value)
        return value if clean == value else clean
    if isinstance(value, dict):
        return {key: BLANK if _hides(key, names) else _blanked(item, names, depth + 1) for key, item in value.items()}
    if type(value) in (list, tuple, set, frozenset) or (isinstance(value, tuple) and hasattr(value, "_fields")):
        return _blanked_items(value, names, depth + 1)
    secrets = secrets_in(value, names)
    return _Shown(value, secrets) if secrets else value


def _blanked_items(value: Any, names: frozenset[str], depth: int) -> Any:
    if type(value) is tuple and _is_pair(value) and _hides(value[0], names):
        return (value[0], BLANK)
    labels = getattr(value, "_fields", None) or itertools.repeat(None)
    items = [BLANK if _hides(name, names) else _blanked(item, names, depth) for name, item in zip(labels, value, strict=False)]
    if hasattr(value, "_fields"):
        return tuple.__new__(type(value), items)
    return _of_kind(type(value), items)


def _of_kind(kind: Any, items: list[Any]) -> Any:
    try:
        return kind(items)
    except TypeError:  # of a set, an item that can't be hashed any more
        return items


class _Shown:
    """Stands for an object whose repr would show secrets."""

    def __init__(self, value: Any, secrets: list[str]) -> None:
        kind = f"<{type(value).__name__}>"
        try:
            self._text = kind if any(len(secret) < _SHORTEST for secret in secrets) else without(repr(value), secrets)
        except Exception:
            self._text = kind

    def __repr__(self) -> str:
        return self._text


def without(text: str, secrets: Iterable[str]) -> str:
    """Remove secret values from a text, however they are written there, and what is secret by its form.

    A value shorter than four characters would blank half of any text: it goes only where it stands in quotes, as a whole. Where a
    text was cut (``…``), what is left of a secret goes too.
    """
    secrets = set(secrets)
    for form in sorted({form for secret in secrets for form in _written(secret)}, key=len, reverse=True):
        text = text.replace(form, BLANK)
    if "…" in text:
        text = _without_rests(text, secrets)
    return _without_forms(text)


@functools.lru_cache(maxsize=1024)
def _written(secret: str) -> frozenset[str]:
    """How a secret may be written: as it is, by repr, in JSON, in HTML, in a URL."""
    if not secret:
        return frozenset()
    inside = {secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    inside |= {_in_html(secret), _in_url(secret, ""), _in_url(secret, "/"), _in_url(secret, "").replace("%20", "+")}
    if len(secret) >= _SHORTEST:
        return frozenset(inside)
    return frozenset(f"{quote}{form}{quote}" for form in inside for quote in ("'", '"'))


def _in_html(text: str) -> str:
    for character, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#x27;")):
        text = text.replace(character, name)
    return text


def _in_url(text: str, safe: str) -> str:
    """As `urllib.parse.quote` would, which takes long to import."""
    plain = set(f"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-~{safe}".encode())
    return "".join(chr(byte) if byte in plain else f"%{byte:02X}" for byte in text.encode("utf-8", "surrogateescape"))


def _without_rests(text: str, secrets: Iterable[str]) -> str:
    """Remove what a cut has left of a secret: its beginning before the mark, its end after it."""
    for secret in secrets:
        for length in range(len(secret) - 1, _SHORTEST - 1, -1):
            if secret[:length] + "…" in text or secret[:length] + "\n…" in text:
                text = text.replace(f"{secret[:length]}…", f"{BLANK}…").replace(f"{secret[:length]}\n…", f"{BLANK}\n…")
            if "…" + secret[-length:] in text or "…\n" + secret[-length:] in text:
                text = text.replace(f"…{secret[-length:]}", f"…{BLANK}").replace(f"…\n{secret[-length:]}", f"…\n{BLANK}")
    return text


def _by_form(text: str) -> Iterator[re.Match[str]]:
    """What is secret by its form."""
    for form in _FORMS:
        for match in form.finditer(text):
            if _is_secret(match.groupdict().get("name", "secret")) and match["secret"] != BLANK:
                yield match


def _without_forms(text: str) -> str:
    kept, position = [], 0
    for begin, end in sorted(match.span("secret") for match in _by_form(text)):
        if begin >= position:
            kept += [text[position:begin], BLANK]
        position = max(position, end)
    return "".join([*kept, text[position:]])


def cleaned(value: Any, secrets: Iterable[str]) -> Any:
    """Copy JSON values with the secrets removed from every text."""
    hidden = tuple(secrets)
    if isinstance(value, str):
        return without(value, hidden)
    if isinstance(value, (list, tuple)):
        return [cleaned(each, hidden) for each in value]
    return {key: cleaned(each, hidden) for key, each in value.items()} if isinstance(value, dict) else value


def shown_for(name: str, text: str) -> str:
    """A value as a message may show it."""
    return BLANK if _is_secret(name) else text


#: Takes all that it can and gives nothing back, so that a long text is read once.
_TYPED = re.compile(r"(?:(?P<option>--[\w-]{1,100}+)[ =]|(?<!\w)(?P<name>\w++)[ \"']*+[=:]) *+")


def typed(text: str, names: Iterable[str] = ()) -> str:
    """A line as somebody typed it, or a part of one, cut where a secret's value begins: where that ends, nobody can tell."""
    wanted = frozenset(names)
    for match in _TYPED.finditer(text):
        if _hides((match["option"] or match["name"]).lstrip("-"), wanted) and match.end() < len(text):
            return text[: match.end()] + BLANK
    return text


def one_line(text: str) -> str:
    r"""Escape everything that could start a new line or steer a terminal: ``\n``, ``\x1b``, U+2028 ..."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escaped(character) for character in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def quoted(value: Any) -> str:
    """How a refusal quotes what somebody gave: on one line, cut, whatever it is and however large."""
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        return f"a number of {value.bit_length():,} bits"
    try:
        text = repr(value)
    except Exception:  # what a class of the user's does, or a value that is nested too deeply
        text = f"a {type(value).__name__}"
    return one_line(cut(text))


def cut(text: str, longest: int = LONGEST) -> str:
    """Cut a text in its middle to at most `longest` characters."""
    if len(text) <= longest:
        return text
    half = (longest - 1) // 2
    return f"{text[: longest - half - 1]}…{text[len(text) - half :]}"
