"""Secrets are known by their name at any depth and by their form, and blanked in any text."""

import dataclasses
import json
import urllib.parse
from collections import namedtuple
from typing import NamedTuple

import pydantic
import pytest

import ipybgjobs as bg
from ipybgjobs.model import redaction
from ipybgjobs.model.redaction import BLANK
from ipybgjobs.state import current_job
from support.place import until

SECRET = "hunter2-hunter2"
VARIABLE = "env-s3cr3t-value"


class Model(pydantic.BaseModel):
    user: str = "eva"
    api_key: str = SECRET


class Hiding(pydantic.BaseModel):
    password: pydantic.SecretStr = pydantic.SecretStr(SECRET)


@dataclasses.dataclass
class Inner:
    db_pass: str = SECRET


@dataclasses.dataclass
class Outer:
    inner: Inner = dataclasses.field(default_factory=Inner)


class Slotted:
    __slots__ = ("token",)

    def __init__(self):
        self.token = SECRET

    def __repr__(self):
        return f"Slotted({self.token})"


class Failing:
    password = "class"

    def __init__(self):
        self.password = SECRET

    def __repr__(self):
        raise RuntimeError(SECRET)


class Short:
    def __init__(self):
        self.pin = "12"

    def __repr__(self):
        return "Short(12)"


Old = namedtuple("Old", "user password")  # noqa: PYI024 - the older form is the one to test


class Typed(NamedTuple):
    pwd: str = SECRET
    port: int = 1


OBJECTS = [
    Model(),
    Hiding(),
    Outer(),
    Slotted(),
    Failing(),
    Old("eva", SECRET),
    Typed(),
    [Typed()],
    {"a": {Old("eva", SECRET)}},
    frozenset({("password", SECRET)}),
    {"headers": [("Authorization", SECRET)]},
]


@pytest.mark.parametrize("value", OBJECTS, ids=lambda value: type(value).__name__)
def test_what_an_object_holds_under_a_secret_name_is_known_and_blanked(value):
    assert SECRET not in repr(redaction.blanked(value, ()))
    assert SECRET in redaction.secrets_in(value, ())


def test_what_is_blanked_keeps_its_form():
    assert repr(redaction.blanked(Old("eva", SECRET), ())) == f"Old(user='eva', password='{BLANK}')"
    assert repr(redaction.blanked(Outer(), ())) == f"Outer(inner=Inner(db_pass='{BLANK}'))"
    assert repr(redaction.blanked(Short(), ())) == "<Short>"
    plain = [1, None, "x", (1, 2), {"a"}, object, Old("eva", "x")._replace(password=None).user]
    assert redaction.blanked(plain, ()) == plain


def test_objects_that_hold_each_other_end():
    one, other = Slotted.__new__(Slotted), {}
    one.token = other
    other["back"] = [one, {"password": SECRET}]
    assert SECRET in redaction.secrets_in(one, ())


def test_names_are_found_at_every_depth():
    assert {"a", "patient", "api_key", "inner", "db_pass"} <= redaction.names_in([{"a": [{"patient": 1}]}, Model(), Outer()])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgres://eva:Geh31m@host/db", f"postgres://eva:{BLANK}@host/db"),
        ("see redis://:Geh31m@h:1 and amqp://u:other@h", f"see redis://:{BLANK}@h:1 and amqp://u:{BLANK}@h"),
        ("https://x.org/a?token=Geh31m&page=2", f"https://x.org/a?token={BLANK}&page=2"),
        ("Authorization: Bearer abc.DEF-123", f"Authorization: Bearer {BLANK}"),
        ("{'Authorization': 'Basic dXNlcjpwYXNz'}", f"{{'Authorization': 'Basic {BLANK}'}}"),
        ("https://x.org:8080/a@b ftp://eva@host", "https://x.org:8080/a@b ftp://eva@host"),
        ("Basic statistics, bearer of news: 12:30@noon", "Basic statistics, bearer of news: 12:30@noon"),
    ],
)
def test_what_is_secret_by_its_form_is_blanked_in_any_text(text, shown):
    assert redaction.without(text, ()) == shown
    assert redaction.blanked({"note": [text]}, ()) == {"note": [shown]}
    assert redaction.without(shown, ()) == shown


def test_the_password_of_a_url_is_a_secret_of_the_call():
    assert redaction.secrets_in({"db": "postgres://eva:Geh31m@host/db"}, ()) == ["Geh31m"]


@pytest.mark.parametrize("secret", ['with "quotes"', "schlüssel-é", "a&b<c>d'e", "path/to key+x"])
def test_a_secret_is_removed_however_it_is_written(secret):
    written = [
        json.dumps(secret),
        json.dumps(secret, ensure_ascii=False),
        urllib.parse.quote(secret),
        urllib.parse.quote_plus(secret),
    ]
    for text in [secret, repr(secret), *written, urllib.parse.quote(secret, safe="")]:
        assert BLANK in redaction.without(f"before {text} after", [secret])
        assert secret[:6] not in redaction.without(f"before {text} after", [secret])


def test_a_short_secret_is_blanked_only_where_it_stands_as_a_whole():
    assert redaction.without("12 of 12: pin='12', \"12\"", ["12"]) == f"12 of 12: pin={BLANK}, {BLANK}"


def test_what_a_cut_has_left_of_a_secret_is_blanked():
    assert redaction.without(f"x {SECRET[:7]}… y", [SECRET]) == f"x {BLANK}… y"
    assert redaction.without(f"x …{SECRET[-6:]} y", [SECRET]) == f"x …{BLANK} y"
    assert (
        redaction.without(f"x {SECRET[:9]}\n… the middle …\n{SECRET[-9:]} y", [SECRET]) == f"x {BLANK}\n… the middle …\n{BLANK} y"
    )


def test_many_secrets_in_a_long_text_take_their_time_and_no_more():
    text = "://a:" * 50_000 + "?token=" * 50_000 + "Bearer " * 50_000
    assert redaction.without(text, [f"secret-{number}" for number in range(20)])


def test_progress_shows_no_secret_of_its_job(tmp_path, monkeypatch):
    monkeypatch.setattr(current_job, "_current", None)
    monkeypatch.setattr(current_job, "_reporter", None)
    monkeypatch.setenv("MY_TOKEN", VARIABLE)
    try:
        job = {"id": 1, "uid": "u", "name": None, "attempt": 1}
        current_job.enter(job, str(tmp_path), {"names": ["*patient*"], "values": [SECRET]})
        bg.report(1, 2, f"{SECRET} {VARIABLE}")
        list(bg.progress([1], label=SECRET))
        current_job.finish()
        text = until((tmp_path / "progress.json").read_text, "the progress")
        assert SECRET not in text
        assert VARIABLE not in text
    finally:
        current_job._secret_names, current_job._hidden, current_job._looked_around = (), (), False
