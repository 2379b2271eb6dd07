"""A job draws, shows and fails as a kernel does, and neither its children nor the user's repository notice that it is one."""

# ruff: noqa: E501 - cells and tables are read by the row

import importlib.util
import os
import subprocess

import pytest
from nbclient import NotebookClient
from nbformat import v4

import ipybgjobs as bg
from ipybgjobs.model import by_value
from ipybgjobs.targets import origin
from support.place import DEADLINE


@pytest.fixture
def jobs(shared_place):
    shared_place.module("likekernel")
    names = ["variables", "draw", "interactive", "figures", "bundle", "own", "clears", "without_streams", "prints_nowhere"]
    shared_place.allow({"likekernel": names})
    return shared_place


def run(name, params=None):
    return bg.submit(f"likekernel.{name}", params).wait(DEADLINE)


def kinds(job):
    return [set(output.get("data", {})) or output.output_type for output in job.outputs()]


def test_a_job_draws_inline_and_its_children_are_told_nothing(jobs, monkeypatch):
    monkeypatch.delenv("MPLBACKEND", raising=False)
    monkeypatch.delenv("PLOTLY_RENDERER", raising=False)
    assert run("variables").result() == ("module://matplotlib_inline.backend_inline", "None None")


def test_what_the_caller_s_environment_says_stays(jobs, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("PLOTLY_RENDERER", "svg")
    assert run("variables").result() == ("agg", "agg svg")


@pytest.mark.parametrize(("name", "params"), [("draw", {"backend": "nbAgg"}), ("interactive", None)])
def test_a_backend_that_draws_by_a_page_leaves_a_picture(jobs, name, params):
    job = run(name, params)
    assert job.state == "succeeded", job.error
    assert kinds(job) == [{"image/png", "text/plain"}]


@pytest.mark.skipif(importlib.util.find_spec("plotly") is None, reason="plotly is not installed")
def test_plotly_s_figures_are_data_without_its_script(jobs):
    job = run("figures")
    assert kinds(job) == [{"application/vnd.plotly.v1+json"}] * 3
    assert len(str(job.outputs())) < 100_000


@pytest.mark.parametrize(("name", "shown"), [("bundle", {"text/html", "text/plain"}), ("own", {"text/html", "text/plain"})])
def test_a_returned_object_that_knows_only_ipython_s_ways_is_shown_by_them(jobs, name, shown):
    assert kinds(run(name)) == [shown]


def test_a_return_value_comes_in_the_place_of_what_was_to_be_cleared(jobs):
    [value] = run("clears").outputs()
    assert value.data["text/plain"] == "5"


def test_a_job_without_streams_ends_by_what_it_did(jobs):
    assert run("without_streams").result() == "done"
    failed = run("without_streams", {"fails": True})
    assert failed.error == "ValueError: on purpose"
    assert failed.outputs()[-1].ename == "ValueError"
    nowhere = run("prints_nowhere")
    assert nowhere.error == "RuntimeError: lost sys.stdout"
    assert "ipybgjobs" not in nowhere.traceback


# -- git -----------------------------------------------------------------------------------------------------------------


def test_a_look_at_the_repository_neither_writes_nor_locks_its_index(tmp_path):
    def git(*words):
        subprocess.run(
            ["git", "-c", "user.email=a@example.org", "-c", "user.name=a", *words], cwd=tmp_path, check=True, capture_output=True
        )

    git("init", "-q")
    files = [tmp_path / f"{number}.txt" for number in range(20)]
    for file in files:
        file.write_text("x")
    git("add", "-A")
    git("commit", "-qm", "a")
    index = tmp_path / ".git" / "index"
    for file in files:
        os.utime(file, (1_000_000_000, 1_000_000_000))  # a look that may write would refresh the index
    before = index.stat().st_ino, index.stat().st_mtime_ns
    (tmp_path / ".git" / "index.lock").touch()  # the user commits at this moment
    found = origin.gather(str(tmp_path))
    assert found["dirty"] is False
    assert (index.stat().st_ino, index.stat().st_mtime_ns) == before
    (tmp_path / ".git" / "index.lock").unlink()
    origin.gather(str(tmp_path))
    assert (index.stat().st_ino, index.stat().st_mtime_ns) == before


# -- code by value -------------------------------------------------------------------------------------------------------

CELLS = [
    "%load_ext ipybgjobs\nimport inspect",
    (
        "secret = 'hunter22'\n\ndef helper(x):\n    return 1 / x  # the line\nclass Trainer:\n    def fit(self): return helper(0)\n"
        "    def source(self): return inspect.getsource(helper)\n    def magic(self):\n        who = !echo shell\n        return who[0], get_ipython().__class__.__name__"
    ),
    "j = %bgjob Trainer.fit;\nj.wait(60)\nprint(j.traceback)",
    "j = %bgjob Trainer.source;\nprint(j.result(60))",
    "j = %bgjob Trainer.magic;\nprint(j.result(60))",
]


@pytest.mark.crash
def test_code_of_a_notebook_brings_its_lines_and_its_magics(place):
    place.allow({}, BackgroundJobs__allow_notebook_code=True)
    notebook = v4.new_notebook(cells=[v4.new_code_cell(cell) for cell in CELLS])
    NotebookClient(notebook, resources={"metadata": {"path": str(place.code)}}).execute()
    trace, source, magic = (
        "".join(o.get("text", "") for o in cell.outputs if o.get("name") == "stdout") for cell in notebook.cells[2:]
    )
    assert "line 4, in helper\n    return 1 / x  # the line\n" in trace
    assert source == "def helper(x):\n    return 1 / x  # the line\n\n"
    assert magic == "('shell', 'JobShell')\n"


def test_a_function_sent_by_value_takes_along_its_own_lines_and_no_others():
    secret = "a neighbour's"  # noqa: F841 - it stands beside what is sent
    namespace = {"__name__": "__main__"}
    lines = ["password = 'hunter22'\n", "def mine():\n", "    return 'my own line'\n", "other = 'hunter23'\n"]
    import linecache

    linecache.cache["<a cell>"] = (1, None, lines, "<a cell>")
    exec(compile("".join(lines), "<a cell>", "exec"), namespace)
    content = by_value.dump(namespace["mine"])
    assert b"my own line" in content
    assert b"hunter2" not in content
    assert by_value.load(content)() == "my own line"
    assert by_value.dump(namespace["mine"]) == content  # `unique` and `reuse` compare such pickles
    loaded = by_value.load(content).__code__
    assert loaded.co_firstlineno == 2
    assert linecache.getline(loaded.co_filename, 3) == "    return 'my own line'\n"


# -- a cell that is not Python --------------------------------------------------------------------------------------------


def test_a_cell_s_syntax_error_is_shown_once(place):
    place.allow({}, BackgroundJobs__allow_notebook_code=True)
    job = bg.submit("ipybgjobs.Cell.run", {"code": "x = )"}).wait(DEADLINE)
    assert job.error.startswith("SyntaxError: ")
    assert job.log().count("SyntaxError") == 1
    assert [output.output_type for output in job.outputs()] == ["error"]
