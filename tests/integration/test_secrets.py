"""No surface shows a secret: known by its name at any depth, by its form, or of the environment; whoever wrote the text."""

import json
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

import ipybgjobs as bg
from ipybgjobs.client.jobs import as_json, attempt_folders, html
from ipybgjobs.client.jobs.job_status import JobStatus
from ipybgjobs.commands import cli, job_line
from ipybgjobs.commands.usage import UsageFault
from ipybgjobs.model.redaction import BLANK
from ipybgjobs.panel import details, rows

SECRET = "hunter2-hunter2"
VARIABLE = "env-s3cr3t-value"


@pytest.fixture
def lab(shared_place, monkeypatch):
    shared_place.module("lab")
    shared_place.allow({"lab": ["shows", "typed"], "lab.Refusing": ["run"]}, BackgroundJobs__secret_names=["*patient*"])
    monkeypatch.setenv("MY_TOKEN", VARIABLE)
    return shared_place


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


@pytest.mark.crash
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
    assert "<img" not in html.card(job.record(), JobStatus("queued"), 0.0)
    job.wait(60)
