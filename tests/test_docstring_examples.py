"""Every public name has an example in its docstring, and all of them run, with real jobs in a place of their own."""

import ast
import doctest
import inspect
import io
import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

import ipybgjobs

NAMES = [name for name in ipybgjobs.__all__ if name != "__version__"]

#: The module that the examples submit.
TRAINING = Path(__file__).parent / "examples" / "training.py"

NOTEBOOKS = {"train": "epochs = 1", "broken": "1 / 0", "dying": "import os; os._exit(1)"}

#: Most lines of an example, with what it prints.
LONGEST = 6


def _example(name):
    text = inspect.cleandoc(getattr(ipybgjobs, name).__doc__).partition("Examples\n--------\n")[2]
    return doctest.DocTestParser().get_doctest(text, {"ipybgjobs": ipybgjobs}, name, None, 0)


@pytest.fixture
def examples(place, monkeypatch):
    """A place with what the examples name, in its working directory."""
    shutil.copy(TRAINING, place.code)
    functions = [node.name for node in ast.parse(TRAINING.read_text()).body if isinstance(node, ast.FunctionDef)]
    for name, source in NOTEBOOKS.items():
        cell = v4.new_code_cell(source, metadata={"tags": ["parameters"]} if name == "train" else {})
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(v4.new_notebook(cells=[cell], metadata=kernel), place.code / f"{name}.ipynb")
    place.allow(
        {"training.Trainer": ["fit"], "training": functions, "missing": ["fit"], "ipybgjobs.Notebook": ["run"]},
        BackgroundJobs__allowed_notebooks=[f"{place.code}/*.ipynb"],
        BackgroundJobs__allow_notebook_code=True,
        BackgroundJobs__queues={"default": 1},
    )
    monkeypatch.chdir(place.code)
    yield place
    ipybgjobs.jobs(limit=1000).cancel()


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_has_a_short_example(name):
    example = _example(name)
    assert example.examples
    assert len(example.docstring.strip().splitlines()) <= LONGEST


@pytest.mark.timeout(400)
def test_every_example_runs_and_prints_what_it_says(examples):
    said = io.StringIO()
    runner = doctest.DocTestRunner(verbose=False)
    for name in NAMES:
        runner.run(_example(name), out=said.write)
    assert not said.getvalue(), said.getvalue()
    assert runner.summarize(verbose=False).attempted > len(NAMES)
