"""A job as a zip file for a bug report: what is in it, what is never in it, and how it is written."""

import json
import os
import stat
import zipfile

import pytest

import ipybgjobs as bg
from ipybgjobs.client.jobs import bug_report
from ipybgjobs.commands.cli import main
from support.control import one_sentence
from support.place import DEADLINE

pytestmark = pytest.mark.shared_place

SECRET = "hunter2-and-more"


@pytest.fixture
def job(place, monkeypatch):
    place.module(
        "leaky",
        """
        import os

        class Opaque:
            pass

        def run(password, rate: float, table=None):
            print("connects with", password)
            print("VARIABLE is", len(os.environ["CONFIDENTIAL"]))
            raise ValueError(f"{password} was refused")
        """,
    )
    place.allow({"leaky": ["run"]}, BackgroundJobs__queues={"default": 2})
    monkeypatch.setenv("CONFIDENTIAL", "value-of-the-variable")
    return bg.submit("leaky.run", {"password": SECRET, "rate": 0.5, "table": {1, 2}}, retry=2).wait(DEADLINE)


def contents(path):
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_a_report_has_all_that_is_known_of_a_job_and_no_secret(job, tmp_path):
    path = job.export(tmp_path / "report.zip")
    assert path == str(tmp_path / "report.zip")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    found = contents(path)
    logs = [f"attempts/{number}/{name}" for number in (1, 2) for name in ("log.txt", "outputs.json")]
    assert list(found) == ["README.txt", "job.json", "context.json", "doctor.txt", *logs]
    assert "connects with •••\n" in found["attempts/2/log.txt"]
    assert "ValueError: " in found["attempts/1/log.txt"]
    described = json.loads(found["job.json"])
    assert (described["id"], described["state"], described["params"]["rate"]) == (job.id, "failed", 0.5)
    assert len(described["attempts"]) == 2
    assert "ipybgjobs" in found["doctor.txt"]
    assert json.loads(found["context.json"])["executable"]
    for name, text in found.items():
        assert SECRET not in text, name
        assert "value-of-the-variable" not in text, name
    with open(path, "rb") as file:
        assert SECRET.encode() not in file.read()


def test_a_file_that_exists_is_replaced_only_with_force_and_a_failure_leaves_nothing(job, tmp_path):
    (tmp_path / "report.zip").write_text("mine")
    with pytest.raises(bg.InvalidRequest, match=r"exists already") as refused:
        job.export(tmp_path / "report.zip")
    assert one_sentence(refused.value)
    assert (tmp_path / "report.zip").read_text() == "mine"
    job.export(tmp_path / "report.zip", force=True)
    assert "job.json" in contents(tmp_path / "report.zip")
    with pytest.raises(bg.StoreError, match=r"Can't write .*: No such file or directory"):
        job.export(tmp_path / "absent" / "report.zip")
    assert os.listdir(tmp_path) == [each for each in os.listdir(tmp_path) if not each.endswith(".part")]


def test_in_a_terminal_the_file_is_named_after_the_job_and_what_is_in_it_is_said(job, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["export", str(job.id)]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{tmp_path}/job-{job.id}.zip was written (")
    assert "attempts/2/log.txt" in said
    assert "environment variables are not included" in said
    assert main(["export", str(job.id)]) == 1
    assert "--force" in capsys.readouterr().err
    assert main(["export", str(job.id), "--force", "--json"]) == 0
    written = json.loads(capsys.readouterr().out)
    assert (written["path"], written["bytes"]) == (f"{tmp_path}/job-{job.id}.zip", os.path.getsize(f"job-{job.id}.zip"))


def test_a_job_that_has_not_run_can_be_exported(place, tmp_path):
    place.allow({"leaky": ["run"]}, BackgroundJobs__queues={"default": 2})
    place.module("leaky", "def run(rate): pass")
    waiting = bg.submit("leaky.run", {"rate": 1}, delay="1h")
    assert list(contents(waiting.export(tmp_path / "x.zip"))) == ["README.txt", "job.json", "context.json", "doctor.txt"]
    waiting.cancel()


def test_a_secret_that_lies_across_two_pieces_of_a_log_is_blanked_too():
    text = "x" * 100_000 + SECRET + "y" * 100_000 + f"'{SECRET}'" + "z" * 70_000
    for size in (1 << 16, 99_999, 100_005, 100_010):
        pieces = [text[start : start + size] for start in range(0, len(text), size)]
        whole = "".join(bug_report.without_secrets(pieces, (SECRET,)))
        assert SECRET not in whole
        assert not any(SECRET[:half] in whole or SECRET[half:] in whole for half in (8,))
        assert whole.count("x") + whole.count("y") + whole.count("z") >= 270_000
