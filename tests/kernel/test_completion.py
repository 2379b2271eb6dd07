"""Tab completion in a real kernel, with and without jedi: what it offers, and all that it leaves alone."""

import json

import pytest

from support.magics import ALLOWED, loaded

GROUP = "g = bg.submit_many('studio.describe', [{'value': 1}, {'value': 2}], name='sweep', delay='1h')"


@pytest.fixture(scope="module", params=[True, False], ids=["jedi", "no jedi"])
def notebook(request, tmp_path_factory):
    """A notebook with a finished job, jobs that wait, and a group."""
    with loaded(tmp_path_factory.mktemp("notebook")) as opened:
        opened.place.allow(ALLOWED, BackgroundJobs__queues={"default": 2, "gpu": 1})
        opened.ok(f"%config IPCompleter.use_jedi = {request.param}")
        opened.ok("first = bg.submit('studio.describe', {'value': 1}, name='my name'); first.wait(60)")
        opened.ok("second = bg.submit('studio.describe', {'value': 1}, name='later', delay='1h')")
        opened.ok(GROUP)
        opened.ok("number, data = 7, [1]")
        (opened.place.code / "report.ipynb").write_text("{}")
        cell = {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": ["alpha = 0.1\n", "fast: bool = False"]}
        (opened.place.code / "tuned.ipynb").write_text(json.dumps({"nbformat": 4, "cells": [cell]}))
        opened.place.module("garden", "raise SystemExit\n\nclass Bed:\n    def dig(self): ...\n\ndef sow(seed): ...\n")
        (opened.place.code / "reports").mkdir()
        yield opened


def offered(notebook, line):
    """What is offered for the end of a line."""
    return [text[len(line) - len(line.split("\n")[-1]) :] for text in notebook.complete(line)]


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("%bgjob --queue ", ["%bgjob --queue default", "%bgjob --queue gpu"]),
        ("%bgjob --queue=g", ["%bgjob --queue=gpu"]),
        ("%%bgjob --queue g", ["%%bgjob --queue gpu"]),
        ("%bgjob --on-duplicate ", [f"%bgjob --on-duplicate {each}" for each in ("reject", "existing", "replace")]),
        ("%bgjob --after la", ["%bgjob --after later"]),
        ("%bgjob --after m", ['%bgjob --after "my name"']),
        ("%bgjob --after-any 1,s", ["%bgjob --after-any 1,sweep"]),
        ("%bgjob --after $", ["%bgjob --after $first", "%bgjob --after $second", "%bgjob --after $g"]),
        ("%bgjob --pri", ["%bgjob --priority"]),
        ("%bgjob --queue gpu --qu", []),
        ("%bgjob --name ", ["%bgjob --name later", '%bgjob --name "my name"']),
        ("%bgjob studio.Model.f", ["%bgjob studio.Model.fit"]),
        ("j = %bgjob studio.Model.f", ["j = %bgjob studio.Model.fit"]),
        ("if True:\n    j = %bgjob studio.Model.f", ["    j = %bgjob studio.Model.fit"]),
        ("number = 1\n%bgjob studio.Model.fit ep", ["%bgjob studio.Model.fit epochs="]),
        ("%bgjob --queue gpu \\\n    studio.Model.fit ep", ["    studio.Model.fit epochs="]),
        ("%bgjob studio.Model.fit epochs=2 n", ["%bgjob studio.Model.fit epochs=2 note="]),
        ("%bgjob studio.Model.fit ", [f"%bgjob studio.Model.fit {each}=" for each in ("epochs", "note", "lr", "layers")]),
        ("%bgjob studio.Model(lr=2).fit ", [f"%bgjob studio.Model(lr=2).fit {each}=" for each in ("epochs", "note")]),
        ("%bgjob tuned.ipynb ", ["%bgjob tuned.ipynb alpha=", "%bgjob tuned.ipynb fast="]),
        ("%bgjob tuned.ipynb al", ["%bgjob tuned.ipynb alpha="]),
        ("j = %bgjob tuned.ipynb alpha=2 fast=", [f"j = %bgjob tuned.ipynb alpha=2 fast={each}" for each in (True, False)]),
        ("%bgjob report.ipynb ", []),
        ("%bgjobs allow gar", [f"%bgjobs allow garden.{each}" for each in ("Bed.*", "Bed.dig", "sow")]),
        ("%bgjobs allow garden.Bed.d", ["%bgjobs allow garden.Bed.dig"]),
        ("%bgjobs allow garden.sow garden.so", []),
        ("%bgjob studio.Model.fit note=$n", ["%bgjob studio.Model.fit note=$number"]),
        ("%bgjob studio.Model(l", ["%bgjob studio.Model(lr=", "%bgjob studio.Model(layers="]),
        ("%bgjob studio.Model(lr=2, la", ["%bgjob studio.Model(lr=2, layers="]),
        ("%bgjob rep", ["%bgjob report.ipynb", "%bgjob reports/"]),
        ("%bgjob nothing.of.this", []),
        ("%%bgjob --in number,d", ["%%bgjob --in number,data"]),
        ("%bgjobs pri", ["%bgjobs priority"]),
        ("%bgjobs show 1", ["%bgjobs show 1"]),
        ("%bgjobs log ", [f"%bgjobs log {each}" for each in ("4", "3", "2", "1", "later", '"my name"')]),
        ('%bgjobs log "my n', ['%bgjobs log "my name"']),
        ("%bgjobs cancel ", [f"%bgjobs cancel {each}" for each in ("4", "3", "2", "later")]),
        ("%bgjobs cancel 2 4", ["%bgjobs cancel 2 4"]),
        ("%bgjobs show 1 ", []),
        ("%bgjobs cancel --gro", ["%bgjobs cancel --group"]),
        ("%bgjobs cancel --group ", ["%bgjobs cancel --group sweep", "%bgjobs cancel --group 1"]),
        ("%bgjobs list --state f", ["%bgjobs list --state failed"]),
        ("%bgjobs list --queue ", ["%bgjobs list --queue default", "%bgjobs list --queue gpu"]),
        ("%bgjobs list --name m", ['%bgjobs list --name "my name"']),
        ("%bgjobs pause g", ["%bgjobs pause gpu"]),
        ("%bgjobs config ", ["%bgjobs config init", "%bgjobs config show", "%bgjobs config check"]),
        ("%bgjobs allow rep", ["%bgjobs allow report.ipynb", "%bgjobs allow reports/"]),
        ("%bgjobs submit studio.Model.f", ["%bgjobs submit studio.Model.fit"]),
        ("%bgjobs submit --queue g", ["%bgjobs submit --queue gpu"]),
    ],
)
def test_exactly_what_fits_is_offered(notebook, line, completed):
    found = offered(notebook, line)
    assert found == completed


def test_completion_imports_no_module_of_the_user(notebook):
    notebook.place.module("heavy", "import missing_module\n\nclass Net:\n    def train(self, size, fast: bool = False): ...\n")
    notebook.place.allow(ALLOWED | {"heavy.Net": ["train"]}, BackgroundJobs__queues={"default": 2, "gpu": 1})
    assert offered(notebook, "%bgjob heavy.N") == ["%bgjob heavy.Net.train"]
    assert offered(notebook, "%bgjob heavy.Net.train ") == ["%bgjob heavy.Net.train size=", "%bgjob heavy.Net.train fast="]
    assert offered(notebook, "%bgjob Net.train fast=") == ["%bgjob Net.train fast=True", "%bgjob Net.train fast=False"]
    assert notebook.value("'heavy' in __import__('sys').modules") is False


def test_classes_and_functions_of_the_notebook_are_offered_where_its_code_may_run(notebook):
    defined = "class Mine:\n    def __init__(self, size=1): ...\n    def grow(self, steps: int = 1): ...\n\ndef minimum(of): ..."
    notebook.ok(defined)
    notebook.place.allow(ALLOWED)
    assert offered(notebook, "%bgjob Mi") == []
    notebook.place.allow(ALLOWED, BackgroundJobs__allow_notebook_code=True)
    assert offered(notebook, "%bgjob Mi") == ["%bgjob Mine.grow"]
    assert offered(notebook, "%bgjob mi") == ["%bgjob minimum"]
    assert offered(notebook, "%bgjob Mine.grow ") == ["%bgjob Mine.grow steps=", "%bgjob Mine.grow size="]
    assert offered(notebook, "%bgjob minimum ") == ["%bgjob minimum of="]


def test_what_can_be_disallowed_is_offered(notebook):
    assert offered(notebook, "%bgjobs disallow ") == []
    notebook.ok("%bgjobs allow garden.sow tuned.ipynb")
    found = [text.removeprefix("%bgjobs disallow ") for text in offered(notebook, "%bgjobs disallow ")]
    assert found == [str(notebook.place.code / "tuned.ipynb"), "garden.sow", "ipybgjobs.Notebook.run"]
    assert offered(notebook, "%bgjobs disallow gar") == ["%bgjobs disallow garden.sow"]
    notebook.ok("%bgjobs disallow garden.sow")
    assert offered(notebook, "%bgjobs disallow gar") == []
    assert notebook.value("'garden' in __import__('sys').modules") is False


def test_lines_of_others_are_completed_by_others(notebook):
    assert "number" in offered(notebook, "numb")
    assert any("%timeit" in text for text in notebook.complete("%timei"))
    assert any(text.endswith("%bgjobs") for text in notebook.complete("%bgjo"))
    assert offered(notebook, "print('%bgjob studio.Model.f") != ["print('%bgjob studio.Model.fit"]


def test_after_the_extension_is_unloaded_nothing_of_it_is_offered(notebook):
    notebook.ok("%reload_ext ipybgjobs")
    assert offered(notebook, "%bgjob studio.Model.f") == ["%bgjob studio.Model.fit"]  # once
    notebook.ok("%unload_ext ipybgjobs")
    assert "%bgjob studio.Model.fit" not in offered(notebook, "%bgjob studio.Model.f")
    notebook.ok("%load_ext ipybgjobs")
