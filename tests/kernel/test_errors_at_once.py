"""Errors of a user's own code arrive at once, in a real kernel whose configuration says nothing of retries."""

import time

import pytest

from support.attempts import TRIES
from support.magics import Notebook
from support.notebooks import code, write
from support.place import end, until


class Unasked(Notebook):
    """A notebook whose configuration allows code of notebooks, and asks for no retry."""

    def allow(self):
        self.place.allow(
            {"tries": TRIES, "ipybgjobs.Notebook": ["run"]},
            retries=False,
            BackgroundJobs__allow_notebook_code=True,
            BackgroundJobs__allowed_notebooks=[f"{self.place.root}/**/*.ipynb"],
        )


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    made = Unasked(tmp_path_factory.mktemp("unasked"))
    made.place.module("tries")
    try:
        made.ok("import ipybgjobs as bg\n%load_ext ipybgjobs")
        yield made
    finally:
        made.close()
        end(made.place)


def raised(notebook, submit):
    """Submit a job in a cell, ask for its result in the next one; return what that raised, and the outcomes of the attempts."""
    notebook.ok(submit)
    began = time.monotonic()
    reply = notebook.run("job = bg.jobs(limit=1)[0]\njob.result()")
    assert time.monotonic() - began < 50, "it waited for a retry"
    assert reply.status == "error"
    assert reply.stdout == "", "it said that it waits"
    assert notebook.value("str(job.state)") == "failed"
    return reply.ename, notebook.value("[str(attempt.outcome) for attempt in job.attempts]")


@pytest.mark.parametrize(
    ("cell", "error"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("raise ConnectionError('mine')", "ConnectionError"),
        ("open('/no/such/file')", "FileNotFoundError"),
        ("import sys; sys.exit(3)", "SystemExit"),
        ("input('Sure? ')", "EOFError"),
    ],
)
def test_what_a_cell_raises_arrives_at_once(notebook, cell, error):
    assert raised(notebook, f"%%bgjob\n{cell}") == (error, ["error"])


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("tries.fails_as error=KeyError", "KeyError"),
        ("tries.fails_as error=SystemExit", "SystemExit"),
        ("tries.opens path=/no/such/file", "FileNotFoundError"),
        ("tries.asks_a_user", "EOFError"),
    ],
)
def test_a_mistake_in_a_module_arrives_at_once(notebook, line, error):
    assert raised(notebook, f"%bgjob {line}") == (error, ["error"])


def test_a_time_out_arrives_at_once(notebook):
    assert raised(notebook, "%bgjob --timeout 0.5s tries.sleeps") == ("JobTimeout", ["timeout"])


def test_what_a_notebook_raises_arrives_at_once(notebook):
    write(notebook.place, code("raise ConnectionError('no route')"), name="nb.ipynb")
    assert raised(notebook, "%bgjob ipybgjobs.Notebook.run path=nb.ipynb") == ("CellFailed", ["error"])


@pytest.mark.parametrize("submit", ["%bgjob tries.fails_as error=ConnectionError", "%bgjob tries.vanishes"])
def test_what_may_pass_by_itself_is_seen_to_be_retrying(notebook, submit):
    notebook.ok(f"job = {submit}")
    until(lambda: notebook.value("str(job.state)") == "retrying", "a retry")
    assert notebook.value("[each.id == job.id for each in bg.jobs(state='retrying')]") == [True]
    line = notebook.ok("%bgjobs list --state retrying").stdout
    assert "retrying, attempt 2 of 3 at " in line
    assert notebook.value("str(job.cancel().state)") == "cancelled"


def test_a_group_says_that_its_jobs_are_retrying_and_starts_them_now(notebook):
    runs = notebook.place.root / "runs"
    runs.mkdir()
    notebook.ok(f"g = bg.submit_many('tries.works_on_run', [{{'folder': {str(runs)!r}, 'run': 2, 'error': 'TimeoutError'}}])")
    until(lambda: notebook.value("g.counts") == {"retrying": 1}, "a retry")
    clock = notebook.value("__import__('time').strftime('%H:%M:%S', __import__('time').localtime(g.jobs[0].record().not_before))")
    assert notebook.value("repr(g)").endswith(f"1 jobs: 1 retrying, next at {clock}: TimeoutError: run 1>")
    reply = notebook.run("g.results(2)")
    assert (reply.ename, reply.stdout.count("1 job is retrying, next at ")) == ("WaitTimeout", 1)
    assert notebook.value("len(g.retry())") == 1
    assert notebook.value("g.results(60)") == [2]
