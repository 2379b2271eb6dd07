"""No surface shows a secret: known by its name at any depth, by its form, or of the environment; whoever wrote the text."""

import dataclasses
import json
import urllib.parse
from collections import namedtuple
from pathlib import Path
from typing import NamedTuple

import nbformat
import pydantic
import pytest
from conftest import until
from nbformat import v4

import ipybgjobs as bg
from ipybgjobs.client.jobs import as_json, attempt_folders, html
from ipybgjobs.commands import cli, job_line
from ipybgjobs.commands.job_line import UsageFault
from ipybgjobs.model import redaction
from ipybgjobs.model.redaction import BLANK
from ipybgjobs.panel import details, rows
from ipybgjobs.state import current_job

SECRET = "hunter2-hunter2"
VARIABLE = "env-s3cr3t-value"

LAB = """
    import os
    from dataclasses import dataclass
    from typing import NamedTuple

    import ipybgjobs as bg

    @dataclass
    class Login:
        user: str
        password: str

    class Place(NamedTuple):
        host: str
        password: str

    class Custom:
        def __init__(self, user, password):
            self.user, self._password = user, password

        def __repr__(self):
            return f"Custom({self.user}, {self._password})"

    def shows(value=None, wait: str = ""):
        from IPython.display import HTML, display
        secret = os.environ["MY_TOKEN"]
        bg.report(1, 2, f"at {secret} with {found(value)}")
        display(HTML(f"<b>{secret}</b> {found(value)}"))
        raise RuntimeError(f"{secret} {value!r} {found(value)}")

    def found(value):
        while isinstance(value, (dict, list, tuple, set, frozenset)):
            value = list(value.values() if isinstance(value, dict) else value)[-1]
        return getattr(value, "password", getattr(value, "_password", value))

    def typed(numbers: dict[str, int]):
        return numbers

    class Refusing:
        @classmethod
        def on_submit(cls, method, params):
            raise ValueError(f"no: {params['config']}")

        def run(self, config):
            return config
"""


@pytest.fixture
def lab(place, monkeypatch):
    place.module("lab", LAB)
    place.allow({"lab": ["shows", "typed"], "lab.Refusing": ["run"]}, BackgroundJobs__secret_names=["*patient*"])
    monkeypatch.setenv("MY_TOKEN", VARIABLE)
    return place


def surfaces(job, folder):
    """Every text by which a job is shown."""
    job.save_notebook(folder / "saved.ipynb")
    return {
        "repr": repr(job),
        "card": job._repr_html_(),
        "status": job.status,
        "progress": str(job.progress),
        "error": job.error or "",
        "traceback": job.traceback or "",
        "outputs": json.dumps(job.outputs(), ensure_ascii=False),
        "facts": json.dumps(as_json.as_json(job), default=repr, ensure_ascii=False),
        "table": bg.jobs()._repr_html_(),
        "saved": (folder / "saved.ipynb").read_text(),
    }


VALUES = {
    "custom name": lambda lab: {"patient_name": SECRET},
    "custom name, deep": lambda lab: [{"Patient-Id": [SECRET]}],
    "default name beside a custom one": lambda lab: {"password": SECRET},
    "named tuple": lambda lab: lab.Place("h", SECRET),
    "pairs": lambda lab: {("password", SECRET)},
    "pairs in a tuple": lambda lab: (("user", "eva"), ("password", SECRET)),
    "dataclass": lambda lab: lab.Login("eva", SECRET),
    "object": lambda lab: lab.Custom("eva", SECRET),
    "object in a tuple": lambda lab: (1, lab.Custom("eva", SECRET)),
    "header": lambda lab: {"headers": {"Authorization": f"Bearer {SECRET}"}},
}


@pytest.mark.parametrize("kind", VALUES)
def test_a_secret_is_on_no_surface(lab, tmp_path, kind, capsys):
    import lab as module

    job = bg.submit("lab.shows", {"value": VALUES[kind](module)}).wait(60)
    texts = surfaces(job, tmp_path)
    cli.main(["show", str(job.id)])
    cli.main(["list"])
    cli.main(["show", str(job.id), "--json"])
    texts["command line"] = capsys.readouterr().out
    shown = {name for name, text in texts.items() if SECRET in text or VARIABLE in text}
    assert not shown
    assert "RuntimeError" in texts["error"]
    assert BLANK in texts["outputs"]
    assert BLANK in texts["progress"]
    assert not [name for name in ("background_jobs.log", "background_jobs_errors.log") if SECRET in lab.log(name)]


def test_the_panel_shows_no_secret_of_the_environment_and_none_that_a_job_reports(lab):
    job = bg.submit("lab.shows", {"value": {"password": SECRET}}).wait(60)
    seen = json.dumps(
        [
            details.detail(job),
            details.outputs(job),
            rows.progress(job.id, attempt_folders.newest(job.state_folder, job.attempts)),
        ],
        default=repr,
    )
    assert SECRET not in seen
    assert VARIABLE not in seen


@pytest.mark.parametrize(
    ("target", "params"),
    [
        ("lab.typed", {"numbers": {"password": SECRET}}),
        ("lab.typed", {"numbers": {"deep": {"patient": SECRET}}}),
        ("lab.typed", {"numbers": "custom"}),
        ("lab.typed", {"numbers": "login"}),
        ("lab.typed", {"numbers": f"postgres://eva:{SECRET}@host/db"}),
        ("lab.Refusing.run", {"config": {"password": SECRET}}),
        ("lab.Refusing.run", {"config": {"patient": SECRET}}),
    ],
)
def test_a_refusal_shows_no_secret_whoever_wrote_its_text(lab, target, params):
    import lab as module

    objects = {"custom": module.Custom("eva", SECRET), "login": module.Login("eva", SECRET)}
    params = {name: objects.get(value, value) if isinstance(value, str) else value for name, value in params.items()}
    with pytest.raises(bg.InvalidParameters) as error:
        bg.submit(target, params)
    assert SECRET not in str(error.value)
    assert BLANK in str(error.value)


def notebook(place):
    path = place.code / "study.ipynb"
    cell = v4.new_code_cell("config: dict = {}\nnumber: int = 0", metadata={"tags": ["parameters"]})
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(v4.new_notebook(cells=[cell, v4.new_code_cell("len(config['patient'])")], metadata=kernel), path)
    place.allow(
        {"ipybgjobs.Notebook": ["run"]},
        BackgroundJobs__allowed_notebooks=[str(path)],
        BackgroundJobs__secret_names=["*patient*"],
    )
    return path


def test_in_the_output_of_a_notebook_names_of_the_configuration_count_too(place):
    path = notebook(place)
    job = bg.submit(
        "ipybgjobs.Notebook.run", {"path": str(path), "parameters": {"config": {"patient": SECRET, "password": SECRET}}}
    )
    text = Path(job.result(60)).read_text()
    assert SECRET not in text
    assert text.count(BLANK) == 2
    assert f'"{len(SECRET)}"' in text
    assert SECRET not in repr(job)


def test_a_refusal_of_a_notebook_s_parameter_shows_no_secret_of_the_configuration(place):
    given = {"path": str(notebook(place)), "parameters": {"number": {"patient": SECRET}}}
    with pytest.raises(bg.InvalidParameters, match="does not fit") as error:
        bg.submit("ipybgjobs.Notebook.run", given)
    assert SECRET not in str(error.value)


@pytest.mark.parametrize(
    "line",
    [
        f"work.echo password='{SECRET}",
        f"work.echo password={SECRET}(",
        f"work.echo password=${SECRET.replace('-', '_')}",
        f"work.echo --password {SECRET}",
        f"work.echo --password={SECRET}",
        f"work.echo api_key=[{SECRET}]$",
        f"work.echo password:{SECRET}",
    ],
)
def test_a_line_that_can_not_be_read_is_quoted_without_its_secrets(line):
    with pytest.raises(UsageFault) as error:
        job_line.parse(line, {})
    assert SECRET not in str(error.value)
    assert SECRET.replace("-", "_") not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_shell_s_line_that_can_not_be_read_is_quoted_without_its_secrets(place, capsys):
    assert cli.main(["list", "--password", SECRET]) == 2
    assert SECRET not in capsys.readouterr().err


def test_the_queue_s_name_is_no_markup_in_a_card(place):
    name = "<img src=x onerror=alert(1)>"
    place.allow({"work": ["echo"]}, BackgroundJobs__queues={name: 1})
    job = bg.submit("work.echo", {"value": 1}, queue=name)
    assert "<img" not in html.card(job.record(), "queued", 0.0)
    job.wait(60)


# -- the pure parts ---------------------------------------------------------------------------------------------------


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
