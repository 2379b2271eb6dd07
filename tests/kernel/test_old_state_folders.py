"""State folders that older versions left, as they were packed then: opened, read, and what waits in them runs."""

import importlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest

import ipybgjobs as bg
from ipybgjobs.configuration import sources
from ipybgjobs.model import by_value, former_names, serialization
from ipybgjobs.store.database import SCHEMA
from ipybgjobs.system import identity
from ipybgjobs.targets import context
from support.place import DEADLINE

#: The archives, and how they were made; see README.md there.
DATA = Path(__file__).parents[1] / "data"

#: Functions of `weather.py`, which made the jobs.
FUNCTIONS = ["echo", "measure", "warmest", "receive", "refuse", "draw"]


@dataclass
class Folder:
    """An old state folder in a test's place, where the jobs' module and notebooks are allowed."""

    place: object
    path: Path

    def unpack(self, schema):
        with tarfile.open(DATA / f"state-folder-schema-{schema}.tar.xz") as archive:
            archive.extractall(self.place.root, filter="data")
        for folder, _, _ in os.walk(self.path):
            os.chmod(folder, 0o700)
        assert self.value("PRAGMA user_version") == schema
        if schema == 3:  # later ones know places, and are taken over where theirs is gone
            for table in ("jobs", "attempts", "supervisors"):
                self.execute(f"UPDATE {table} SET host = ?, pid_namespace = ?", identity.host(), identity.pid_namespace())
        self.move_here()

    def value(self, sql):
        with closing(sqlite3.connect(self.path / "jobs.db")) as connection:
            return connection.execute(sql).fetchone()[0]

    def execute(self, sql, *values):
        with closing(sqlite3.connect(self.path / "jobs.db", isolation_level=None)) as connection:
            connection.execute(sql, values)

    def move_here(self):
        """Have it name this interpreter, this copy of the package and folders of the test."""
        now = context.current_context([tuple(each) for each in sources.find_files()], dict(os.environ), 0o022)
        names = json.loads(self.value("SELECT body FROM contexts"))  # as the old version knew them
        self.execute("UPDATE contexts SET body = ?", json.dumps({name: getattr(now, name) for name in names}))
        self.execute("UPDATE environments SET body = ?", json.dumps(dict(os.environ)))
        output = f"{self.place.root}/"
        self.execute("UPDATE jobs SET params = json_replace(params, '$.output', ?) WHERE state = 'queued'", output)
        self.execute("UPDATE groups SET common = json_replace(common, '$.output', ?)", output)


@pytest.fixture
def old(place):
    shutil.copy(DATA / "weather.py", place.code)
    place.allow({"weather": FUNCTIONS, "ipybgjobs.Notebook": ["run"]}, BackgroundJobs__allowed_notebooks=["/srv/*.ipynb"])
    yield Folder(place, place.state)
    bg.jobs(state="queued").cancel()  # the supervisor would stay with them


def printed(path):
    notebook = nbformat.read(path, as_version=4)
    return [output.text for cell in notebook.cells for output in cell.outputs]


@pytest.mark.parametrize("schema", [3, 6])
def test_jobs_of_an_old_state_folder_are_listed_and_read(old, schema):
    old.unpack(schema)
    jobs = bg.jobs()
    from weather import NoSignal, Reading

    assert old.value("PRAGMA user_version") == SCHEMA
    assert {job.name: str(job.state) for job in jobs if job.name and not job.name.startswith("queued")} == {
        "plain": "succeeded",
        "pickled": "succeeded",
        "shown": "succeeded",
        "retried": "failed",
        "refused": "failed",
        "notebook": "succeeded",
        "broken notebook": "failed",
    } | ({"handles": "succeeded"} if schema == 6 else {})
    assert [job.name for job in jobs if job.state == "queued"] == [
        None,
        None,
        "queued notebook",
        "queued pickled",
        "queued plain",
    ]
    assert bg.job("plain").result() == {"sunny": [1, 2.5, None]}
    assert bg.job("pickled").result() == Reading("Oslo", -3.5)
    assert bg.job("pickled").log() == "measured Oslo\n"
    assert [output.output_type for output in bg.job("shown").outputs()] == ["stream", "display_data", "stream"]
    assert bg.job("shown").outputs()[1].data["text/html"] == "<b>sunny</b>"
    assert bg.job("notebook").result().endswith("/report-job6.ipynb")
    assert bg.group("warm").results() == [["Oslo", "Rome"], ["Rome"], []]
    assert next(iter(bg.group("warm"))).params == {"above": -10.0, "readings": (Reading("Oslo", -3.5), Reading("Rome", 18.0))}
    retried = bg.job("retried")
    assert [attempt.error for attempt in retried.attempts] == ["NoSignal: Jan Mayen"] * 2
    assert "raise NoSignal(station)" in retried.traceback
    assert retried.log().startswith("calling Jan Mayen\n")
    for name, error, text in (
        ("retried", NoSignal, "^Jan Mayen$"),
        ("refused", bg.Fail, "^no weather today$"),
        ("broken notebook", bg.CellFailed, "ZeroDivisionError"),
    ):
        with pytest.raises(error, match=text):
            bg.job(name).result()


@pytest.mark.parametrize("schema", [3, 6])
def test_a_notebook_that_waits_in_an_old_state_folder_is_shown_with_its_content(old, schema):
    old.unpack(schema)
    path = bg.job("queued notebook").params["path"]
    assert path == "/srv/report.ipynb"
    assert "print('months', months)" in path.content.decode()
    assert [job.params["path"].content for job in bg.group("queued notebooks")] == [path.content] * 2


def test_what_waits_in_an_old_state_folder_runs(old):
    old.unpack(3)
    assert len(bg.jobs()) == 15
    assert bg.job("queued plain").status.startswith("queued, held: the queue default is paused (since ")
    bg.resume("default")
    assert bg.job("queued plain").result(DEADLINE) == 7
    assert bg.job("queued pickled").result(DEADLINE) == ["Bergen"]
    one, group = bg.job("queued notebook"), bg.group("queued notebooks")
    assert one.result(DEADLINE) == str(old.place.root / f"report-job{one.id}.ipynb")
    assert [printed(path) for path in (one.result(), *group.results(DEADLINE))] == [[f"months {each}\n"] for each in (7, 8, 9)]
    assert not Path("/srv/report.ipynb").exists()  # what ran is what was stored


def test_handles_that_an_old_version_pickled_are_handles_on_the_same_jobs(old):
    old.unpack(6)
    job, group = bg.job("pickled"), bg.group("warm")
    handles = bg.job("handles")
    for path in (old.path / "jobs" / handles.uid).rglob("*.pkl"):
        path.write_bytes(moved(path.read_bytes(), str(old.path).encode()))
    assert handles.result() == handles.params["value"] == {"job": job, "group": group}
    assert handles.result()["job"].result() == job.result()
    assert handles.result()["group"].results() == group.results()


def moved(pickled, folder):
    """A pickle of a handle with another state folder in it; without the frame, which would say how long it is."""
    before, text = b"/home/user/project/state", b"\x8c%c%b"
    start, frame, rest = pickled[:2], pickled[2:11], pickled[11:]
    assert frame == b"\x95" + len(rest).to_bytes(8, "little")
    assert text % (len(before), before) in rest
    return start + rest.replace(text % (len(before), before), text % (len(folder), folder))


def pickled_name(module, name):
    return f"c{module}\n{name}\n.".encode()


@pytest.mark.parametrize(("former", "now"), former_names.FORMER.items(), ids=[".".join(each) for each in former_names.FORMER])
def test_every_name_that_has_moved_is_found_where_it_is_now(former, now):
    there = getattr(importlib.import_module(now[0]), now[1])
    assert former_names.Unpickler(io.BytesIO(pickled_name(*former))).load() is there
    assert by_value.load(pickled_name(*former)) is there


def test_names_of_others_are_looked_for_under_the_names_that_they_have(place):
    place.module("enclosed", "class Enclosed: pass")
    assert serialization.load(pickled_name("enclosed", "Enclosed")).__module__ == "enclosed"
    with pytest.raises(ModuleNotFoundError, match=r"ipybgjobs\.nowhere"):
        serialization.load(pickled_name("ipybgjobs.nowhere", "Enclosed"))
