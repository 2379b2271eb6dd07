"""The examples in the docstrings of public names run, with real jobs, notebooks and kernels, and print what they say."""

import doctest
import io

import pytest

import ipybgjobs
from support.examples import NAMES, example
from support.jobs import functions
from support.notebooks import code, write

NOTEBOOKS = {"train": code("epochs = 1", "parameters"), "broken": code("1 / 0"), "dying": code("import os; os._exit(1)")}


@pytest.fixture
def examples(place, monkeypatch):
    """A place with what the examples name, in its working directory."""
    place.module("training")
    for name, cell in NOTEBOOKS.items():
        write(place, cell, name=f"{name}.ipynb")
    place.allow(
        {"training.Trainer": ["fit"], "training": functions("training"), "missing": ["fit"], "ipybgjobs.Notebook": ["run"]},
        BackgroundJobs__allowed_notebooks=[f"{place.code}/*.ipynb"],
        BackgroundJobs__allow_notebook_code=True,
        BackgroundJobs__queues={"default": 1},
    )
    monkeypatch.chdir(place.code)
    yield place
    ipybgjobs.jobs(limit=1000).cancel()


@pytest.mark.timeout(400)
def test_every_example_runs_and_prints_what_it_says(examples):
    said = io.StringIO()
    runner = doctest.DocTestRunner(verbose=False)
    for name in NAMES:
        runner.run(example(name), out=said.write)
    assert not said.getvalue(), said.getvalue()
    assert runner.summarize(verbose=False).attempted > len(NAMES)
