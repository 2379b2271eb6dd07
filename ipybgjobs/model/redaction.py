"""Make text safe to show: blank secrets, and keep text on its line. The only rule of what is secret, used everywhere.

A value is secret by its name, at any depth, or by its form: the password in a URL, what follows ``Bearer``.
Pure functions, which never decide where the text goes. Workers load it when they show something.
"""

import fnmatch
import functools
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

_Scalar = TypeVar("_Scalar")

#: Replacement for a secret.
BLANK = "•••"

#: Patterns of secret names; case and underscores are ignored. Those of the configuration are added.
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

#: Words that make a name secret anywhere in it, as in ``session_cookie``; ``bypass`` and ``author`` contain none of them.
_WORDS = frozenset({"authorization", "bearer", "cookie", "cookies", "dsn", "jwt", "jwts"})

#: Words that make a name secret at its end: ``db_pass`` and ``card_pin``, but not ``pass_rate`` and ``pin_memory``.
_LAST_WORDS = frozenset({"auth", "pass", "pat", "pin", "pwd"})

#: The working directory of a shell.
_NO_SECRETS = frozenset({"PWD", "OLDPWD"})

#: A shorter secret would blank half of any text, so it is blanked only in quotes.
_SHORTEST = 4

#: Longest text that shows a value.
LONGEST = 60

#: Python refuses to print much longer numbers.
_MOST_BITS = 1000

#: How deep values are searched; anything deeper is not shown.
_DEEPEST = 200

#: How many objects of the user's classes are searched; a model may reference millions.
_MOST_OBJECTS = 1000

#: Secret by form: the password in a URL, a parameter of its query, the value of an ``Authorization``.
_FORMS = (
    re.compile(r"""://[^\s/:@'"<>]{0,200}:(?P<secret>[^\s/@'"<>]{1,500})@"""),
    re.compile(r"""[?&](?P<name>[\w-]{1,100})=(?P<secret>[^\s&#'"<>]{1,500})"""),
    re.compile(r"""\b(?:[Bb]earer|[Bb]asic)[ ]+(?P<secret>(?=[\w.~+/-]*(?:[0-9=]|[a-z][A-Z]))[\w.~+/-]{8,2000}=*)"""),
)

_PART_OF_NAME = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def secret_names(names: Iterable[str], patterns: Iterable[str]) -> tuple[str, ...]:
    """Return those of `names` that match one of the `patterns`, or are always secret."""
    wanted = [_folded(pattern) for pattern in patterns]
    return tuple(
        name for name in names if _is_secret(name) or any(fnmatch.fnmatchcase(_folded(name), pattern) for pattern in wanted)
    )


@functools.lru_cache(maxsize=4096)
def _is_secret(name: str) -> bool:
    """Return whether a name is secret whatever the configuration says."""
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
    """Return every key and field name in a value, at any depth."""
    return {name for name, _, _ in _Walk(frozenset()).over(value) if name is not None}


def secrets_in(value: Any, names: Iterable[str], *, secret: bool = False) -> list[str]:
    """Return the secret texts in a value: under a key or field in `names`, under a secret name, or secret by form."""
    found: list[str] = []
    for _, item, hidden in _Walk(frozenset(names)).over(value, secret=secret):
        if isinstance(item, str):
            found += [match["secret"] for match in _by_form(item)]
        if hidden:
            found += _texts(item)
    return found


def _texts(value: Any) -> list[str]:
    """Return how a secret may appear in a text."""
    if value is None or isinstance(value, bool):
        return []
    if isinstance(value, (bytes, bytearray)):
        return [str(value), value.decode("utf-8", "replace")]
    try:
        return [str(value)]
    except Exception:
        return []


class _Walk:
    """Walks through a value, visiting each object of the user's classes once, up to a limit."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._seen: dict[int, Any] = {}  # keeps the objects too, so that no other gets the same identity

    def over(
        self, value: Any, name: str | None = None, depth: int = 0, *, secret: bool = False
    ) -> Iterator[tuple[str | None, Any, bool]]:
        """Yield each name with its leaf value, and whether it is under a secret name."""
        parts = self._parts(value) if depth < _DEEPEST else None
        yield name, value if parts is None else None, secret
        for each, item in parts or ():
            yield from self.over(item, each, depth + 1, secret=secret or _hides(each, self._names))

    def _parts(self, value: Any) -> list[tuple[str | None, Any]] | None:
        """Return the parts of a value, each with its name; None if it has no parts."""
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
    """Return whether a value may be a pair of a name and its value."""
    return len(value) == 2 and isinstance(value[0], str)  # noqa: PLR2004 - the two


def _fields(value: Any) -> list[tuple[str | None, Any]]:
    """Return the fields of an object of a user's class, such as a dataclass or a pydantic model; none for arrays and tables."""
    kind = type(value)
    if isinstance(value, type) or kind.__module__ == "builtins" or hasattr(kind, "shape"):
        return []
    try:
        if hasattr(kind, "parts_to_redact"):
            return list(value.parts_to_redact())
        if hasattr(kind, "get_secret_value"):
            return [("secret", value.get_secret_value())]
        slots = [name for base in kind.__mro__ for name in _slots(base) if hasattr(value, name)]
        return [*getattr(value, "__dict__", {}).items(), *((name, getattr(value, name)) for name in slots)]
    except Exception:  # an object may do anything when it is accessed
        return []


def _slots(kind: type) -> tuple[str, ...]:
    slots = vars(kind).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


def blanked(value: Any, names: Iterable[str]) -> Any:
    """Copy a value with secrets blanked at any depth: those under one of `names`, and those that are always secret.

    An object is replaced by one that shows its repr, also blanked.
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
    except TypeError:  # an item of a set that can no longer be hashed
        return items


class _Shown:
    """Replaces an object whose repr would show secrets."""

    def __init__(self, value: Any, secrets: list[str]) -> None:
        kind = f"<{type(value).__name__}>"
        try:
            self._text = kind if any(len(secret) < _SHORTEST for secret in secrets) else without(repr(value), secrets)
        except Exception:
            self._text = kind

    def __repr__(self) -> str:
        return self._text


def without(text: str, secrets: Iterable[str]) -> str:
    """Remove secret values from a text, however they are written there, and anything secret by form.

    A value shorter than four characters would blank half of any text, so it is removed only where it is quoted as a whole.
    If a text was cut (``…``), the remainder of a secret is removed too.
    """
    secrets = set(secrets)
    for form in sorted({form for secret in secrets for form in _written(secret)}, key=len, reverse=True):
        text = text.replace(form, BLANK)
    if "…" in text:
        text = _without_rests(text, secrets)
    return _without_forms(text)


@functools.lru_cache(maxsize=1024)
def _written(secret: str) -> frozenset[str]:
    """Return how a secret may be written: as it is, as a repr, in JSON, in HTML, in a URL."""
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
    """Quote like `urllib.parse.quote`, which is slow to import."""
    plain = set(f"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-~{safe}".encode())
    return "".join(chr(byte) if byte in plain else f"%{byte:02X}" for byte in text.encode("utf-8", "surrogateescape"))


def _without_rests(text: str, secrets: Iterable[str]) -> str:
    """Remove what a cut left of a secret: its beginning before the mark, its end after it."""
    for secret in secrets:
        for length in range(len(secret) - 1, _SHORTEST - 1, -1):
            if secret[:length] + "…" in text or secret[:length] + "\n…" in text:
                text = text.replace(f"{secret[:length]}…", f"{BLANK}…").replace(f"{secret[:length]}\n…", f"{BLANK}\n…")
            if "…" + secret[-length:] in text or "…\n" + secret[-length:] in text:
                text = text.replace(f"…{secret[-length:]}", f"…{BLANK}").replace(f"…\n{secret[-length:]}", f"…\n{BLANK}")
    return text


def _by_form(text: str) -> Iterator[re.Match[str]]:
    """Return the parts of a text that are secret by form."""
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


def shown_scalars(values: Mapping[str, _Scalar], names: Iterable[str], secrets: Iterable[str]) -> dict[str, _Scalar | str]:
    """Copy named scalars with secrets blanked: texts under a secret name or one of `names`, and the secrets in any text."""
    wanted, hidden = frozenset(names), tuple(secrets)
    return {
        name: value if not isinstance(value, str) else BLANK if _hides(name, wanted) else without(value, hidden)
        for name, value in values.items()
    }


def shown_for(name: str, text: str) -> str:
    """Return a value as a message may show it."""
    return BLANK if _is_secret(name) else text


#: Possessive, without backtracking, so that a long text is read only once.
_TYPED = re.compile(r"(?:(?P<option>--[\w-]{1,100}+)[ =]|(?<!\w)(?P<name>\w++)[ \"']*+[=:]) *+")


def typed(text: str, names: Iterable[str] = ()) -> str:
    """Return a typed line, or a part of one, cut where a secret's value begins, because its end can't be determined."""
    wanted = frozenset(names)
    for match in _TYPED.finditer(text):
        if _hides((match["option"] or match["name"]).lstrip("-"), wanted) and match.end() < len(text):
            return text[: match.end()] + BLANK
    return text


def one_line(text: str) -> str:
    r"""Escape everything that could start a new line or control a terminal: ``\n``, ``\x1b``, U+2028 ..."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escaped(character) for character in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def quoted(value: Any) -> str:
    """Return how a message quotes a given value: on one line, cut, whatever it is and however large."""
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        return f"a number of {value.bit_length():,} bits"
    try:
        text = repr(value)
    except Exception:  # a class of the user's fails, or a value is nested too deeply
        text = f"a {type(value).__name__}"
    return one_line(cut(text))


def cut(text: str, longest: int = LONGEST) -> str:
    """Cut a text in its middle to at most `longest` characters."""
    if len(text) <= longest:
        return text
    half = (longest - 1) // 2
    return f"{text[: longest - half - 1]}…{text[len(text) - half :]}"
