"""A notebook's file as the target, in a notebook, a terminal and Python: what runs, and that a refusal's line ends it."""

import re
import subprocess
import sys

import pytest

import ipybgjobs as bg
from support.notebooks import allow, code, printed, read, write

CELLS = [code("alpha = 0.5\nnote = 'none'\nverbose: bool = False", "parameters"), code("print(alpha, note, verbose)")]

BGJOBS = [sys.executable, "-m", "ipybgjobs"]


@pytest.fixture
def opened(desk, kernels):
    write(desk, *CELLS)
    session = kernels()
    session.ok("%load_ext ipybgjobs")
    return session


def run(opened, line):
    """Run the notebook by a line of the magic; return what it has printed, and where."""
    opened.ok(f"job = %bgjob {line}")
    path = opened.value("job.result(60)")
    return printed(read(path))[-1], path


def said(opened, line):
    reply = opened.run(f"%bgjob {line}")
    assert reply.ename == "UsageError", reply.everything
    return reply.evalue


def test_the_keys_are_the_notebook_s_and_the_options_are_ours(desk, opened):
    assert run(opened, "train.ipynb")[0] == "0.5 none False\n"
    assert run(opened, "train.ipynb alpha=0.1 note=mine verbose=True")[0] == "0.1 mine True\n"
    assert opened.value("job.params['parameters']") == {"alpha": 0.1, "note": "mine", "verbose": True}
    assert opened.value("(job.target, job.name)") == ("ipybgjobs.Notebook.run", "train.ipynb")
    assert run(opened, "train.ipynb alpha=2 --output runs/out.ipynb --kernel python3")[1] == f"{desk.code}/runs/out.ipynb"
    assert run(opened, "train.ipynb alpha=2 --output runs/out.ipynb --resume") == (
        "2.0 none False\n",
        f"{desk.code}/runs/out.ipynb",
    )
    assert "already succeeded" in opened.value("job.log()")
    opened.ok("n = 3")
    assert run(opened, "--name mine 'train.ipynb' alpha=$n")[0] == "3.0 none False\n"
    assert opened.value("job.name") == "mine"


def test_parameters_are_checked_as_those_of_the_notebook(opened):
    assert said(opened, "train.ipynb beta=1").endswith("has no parameter beta; it takes alpha, note, verbose.")
    assert "alpha='much' does not fit" in said(opened, "train.ipynb alpha=much")
    assert "a=1, ends in a comma" in said(opened, "train.ipynb a=1, b=2")
    assert "alpha=0.1" in opened.ok("%bgjob train.ipynb alpha=0.1 --explain").stdout.replace("'alpha': ", "alpha=")


def test_what_is_not_there_is_refused_and_so_are_the_options_without_a_notebook(desk, opened):
    assert said(opened, "trian.ipynb") == (
        f"The notebook {desk.code}/trian.ipynb can't be read: No such file or directory. Did you mean train.ipynb?"
    )
    assert said(opened, "work.echo value=1 --output x") == (
        "--output is an option for notebooks: write it with notebook.ipynb as the target."
    )
    assert "A job needs a target" in said(opened, "path=train.ipynb")


@pytest.mark.parametrize("listed", [{}, {"ipybgjobs.Notebook": ["run"]}])
def test_one_line_of_one_refusal_is_enough(desk, opened, listed):
    desk.allow(listed)
    first = said(opened, "train.ipynb alpha=0.1")
    line = re.search(r"To allow it: (%bgjobs .*)$", first)[1]
    assert line.endswith(f"allow {desk.code}/train.ipynb")
    assert f"{desk.code}/train.ipynb is allowed" in opened.ok(line).stdout
    assert run(opened, "train.ipynb alpha=0.1")[0] == "0.1 none False\n"


def test_a_terminal_takes_a_notebook_too(desk):
    write(desk, *CELLS)
    words = ["submit", "train.ipynb", "alpha=0.25", "--output", "runs/", "note=a text, quoted"]
    done = subprocess.run([*BGJOBS, *words], cwd=desk.code, capture_output=True, text=True, check=True)
    job = bg.jobs()[0]
    assert f"job {job.id}" in done.stdout
    assert job.result(60) == f"{desk.code}/runs/train-job{job.id}.ipynb"
    assert printed(read(job.result()))[-1] == "0.25 a text, quoted False\n"


def test_python_takes_a_notebook_too(desk, monkeypatch):
    write(desk, *CELLS)
    monkeypatch.chdir(desk.code)
    assert printed(read(bg.submit("train.ipynb", {"alpha": 0.1}).result(60)))[-1] == "0.1 none False\n"
    group = bg.submit_many("train.ipynb", bg.grid(alpha=[1, 2]), common={"note": "both"})
    assert [printed(read(each))[-1] for each in group.results()] == ["1.0 both False\n", "2.0 both False\n"]
    with pytest.raises(bg.InvalidParameters, match=r"^alpha is in common and in call 0"):
        bg.submit_many("train.ipynb", [{"alpha": 1}], common={"alpha": 2})
    with pytest.raises(bg.InvalidParameters, match=r"^params "):
        bg.submit("train.ipynb", [1])


def test_where_notebooks_are_not_allowed_python_gives_the_line_too(desk, monkeypatch):
    write(desk, *CELLS)
    monkeypatch.chdir(desk.code)
    desk.allow({})
    for path in ("train.ipynb", "ipybgjobs.Notebook.run"):
        with pytest.raises(bg.JobNotAllowed, match=rf"^{desk.code}/train\.ipynb can't run .* allow {desk.code}/train\.ipynb$"):
            bg.submit(path, {} if path == "train.ipynb" else {"path": "train.ipynb"})
    allow(desk, "/elsewhere/*.ipynb")
    with pytest.raises(bg.JobNotAllowed, match=r"it matches no pattern"):
        bg.submit("train.ipynb")
