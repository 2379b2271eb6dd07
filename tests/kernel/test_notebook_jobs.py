"""Notebooks as jobs: what runs, what is refused, what is kept when a cell, a kernel or the job ends; in real kernels."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

import ipybgjobs as bg
from ipybgjobs.client.client import Client, client, use
from ipybgjobs.configuration import loading, sources
from ipybgjobs.configuration.live import LiveTraits
from ipybgjobs.configuration.settings import Settings
from ipybgjobs.configuration.traits import BackgroundJobs
from ipybgjobs.model import globs
from ipybgjobs.notebooks import injection, signature
from ipybgjobs.targets import demands, target_rules
from support.kernels import gone
from support.notebooks import OTHERS, RUN, allow, code, printed, read, submit, text, write
from support.place import running, until


def kernel_processes(place):
    return [pid for pid, line in place.processes().items() if "ipykernel" in line]


# -- it runs -------------------------------------------------------------------------------------------------------------

FIGURES = [
    text("# Weather\n\nfigures and tables"),
    code("import os, pathlib\nimport matplotlib.pyplot as plt\nimport pandas as pd\nmonths = 3", "parameters"),
    text("## Wait"),
    code(
        "print('waiting in', os.getcwd(), flush=True)\nwhile not pathlib.Path('enough').exists(): __import__('time').sleep(0.02)"
    ),
    text("## Draw\n```\n# no heading\n```"),
    code("plt.plot(range(months))\nplt.show()\nprint('drawn', months)"),
    code("pd.DataFrame({'month': range(months)})"),
]


def test_a_notebook_with_figures_outlives_the_server_and_the_kernel_that_submitted_it(desk, server):
    write(desk, *FIGURES, name="deep/weather.ipynb")
    _, session = server.kernel()
    session.ok("%load_ext ipybgjobs")
    session.ok('job = %bgjob ipybgjobs.Notebook.run path=deep/weather.ipynb parameters={"months": 5} output=runs/ --name weather')
    submitter = session.value("__import__('os').getpid()")
    job = running(bg.job("weather"))
    draft = desk.code / "runs" / f"weather-job{job.id}.ipynb"
    until(lambda: "cell 3 of 5 (Wait)" in str(job.progress), "progress")
    assert str(job.progress).startswith("40 %")
    assert "months = 5" in read(draft).cells[2].source
    server.process.kill()
    server.process.wait(60)
    until(lambda: gone(submitter), "the end of the submitting kernel")
    (desk.code / "deep" / "enough").touch()
    assert job.result(60) == str(draft)
    session.client.stop_channels()
    kept = read(draft)
    assert [sorted(output.get("data", {})) for cell in kept.cells[5:] for output in cell.get("outputs", [])] == [
        ["image/png", "text/plain"],
        [],
        ["text/html", "text/plain"],
    ]
    assert [cell.execution_count for cell in kept.cells if cell.cell_type == "code"] == [1, 2, 3, 4, 5]
    assert job.log() == f"waiting in {desk.code}/deep\ndrawn 5\n"
    kinds = [output.output_type for output in job.outputs()]
    assert kinds == ["stream", "display_data", "stream", "display_data", "execute_result"]
    assert "image/png" in job.outputs()[1].data
    assert "<table" in job.outputs()[3].data["text/html"]
    assert not kernel_processes(desk)


def test_the_notebook_runs_as_it_was_at_submit_and_the_copy_goes_with_the_job(desk):
    path = write(desk, code("print('first')"))
    bg.pause()
    job = submit(path, output=desk.root / "out.ipynb")
    write(desk, code("print('second')"))
    path.unlink()
    assert "train.ipynb" in repr(job)
    assert "first" not in repr(job)
    assert job.params["path"] == str(path)
    bg.resume()
    assert job.result(60) == str(desk.root / "out.ipynb")
    assert printed(read(job.result())) == ["first\n"]
    copy = desk.state / "jobs" / job.uid / "parameters.pkl"
    assert copy.exists()
    job.remove()
    assert not copy.exists()


def test_a_job_is_named_after_its_notebook_unless_it_has_a_name(desk):
    allow(desk, f"{desk.root}/**")
    path = write(desk, code("1"), name="deep/two words.ipynb")
    digits = write(desk, code("1"), name="2024")
    bg.pause()
    named = [submit(path), bg.submit(RUN, {"path": str(path)}, name="mine"), submit(digits)]
    assert [job.name for job in named] == ["two words.ipynb", "mine", None]
    assert bg.job("two words.ipynb") == named[0]
    for job in named:
        job.cancel()


def test_a_saved_job_names_the_notebook_s_whole_path_in_its_call(desk):
    path = write(desk, code("1"), name=f"{'long' * 20}/train.ipynb")
    bg.pause()
    job = submit(path).cancel()
    job.save_notebook(desk.root / "saved.ipynb")
    assert f"'path': '{path}'" in read(desk.root / "saved.ipynb").cells[1].source


def test_without_an_output_it_is_written_beside_the_notebook_and_no_job_overwrites_another_s(desk):
    path = write(desk, code("n = 1", "parameters"), code("print(n)"))
    before = path.read_bytes()
    group = bg.submit_many(RUN, [{"parameters": {"n": number}} for number in (1, 2)], common={"path": str(path)})
    found = [job.result(60) for job in group.jobs]
    assert found == [f"{desk.code}/train-job{job.id}.ipynb" for job in group.jobs]
    assert [printed(read(each))[-1] for each in found] == ["1\n", "2\n"]
    assert path.read_bytes() == before
    assert os.stat(found[0]).st_mode & 0o777 == 0o666 & ~_umask()


def test_a_folder_gives_no_job_the_file_of_another_even_if_that_has_the_same_number(desk):
    path = write(desk, code("print(1)"))
    runs = desk.root / "runs"
    theirs = write(desk, text("their work"), name="../runs/train-job1.ipynb", ipybgjobs={"job": "an other's"})
    before = theirs.read_bytes()
    job = submit(path, output=f"{runs}/", retry={"max_attempts": 2, "delay_seconds": 0})
    assert job.result(60) == f"{runs}/train-job1-2.ipynb"
    assert theirs.read_bytes() == before


def test_a_sweep_does_not_overwrite_its_own_outputs(desk):
    path = write(desk, code("n = 1", "parameters"))
    calls, common = (
        [{"parameters": {"n": number}} for number in (1, 2)],
        {"path": str(path), "output": str(desk.root / "out.ipynb")},
    )
    with pytest.raises(bg.InvalidParameters, match=r"Several jobs would write to the same output .*out.ipynb': pass a folder\."):
        bg.submit_many(RUN, calls, common=common)
    assert bg.jobs() == []


def test_what_appears_at_the_output_s_place_while_the_job_waits_is_not_overwritten(desk):
    path = write(desk, code("print(1)"))
    bg.pause()
    job = submit(path, output=desk.root / "out.ipynb")
    theirs = write(desk, text("their work"), name="../out.ipynb")
    before = theirs.read_bytes()
    bg.resume()
    assert job.wait(60).state == "failed"
    assert f"output '{desk.root}/out.ipynb' already exists and was not written by a job" in job.error
    assert theirs.read_bytes() == before


GATE = "import pathlib, time\nprint('begun', flush=True)\nwhile not pathlib.Path('{}').exists(): time.sleep(0.02)"


def test_two_jobs_that_run_at_once_with_one_output_keep_both(desk):
    desk.allow(
        {"ipybgjobs.Notebook": ["run"]},
        BackgroundJobs__allowed_notebooks=[f"{desk.root}/**"],
        BackgroundJobs__queues={"default": 2},
    )
    place = desk.root / "out.ipynb"
    slow = submit(write(desk, code(GATE.format("open")), code("print('slow')")), output=place)
    until(lambda: "begun" in slow.log(), "the slow one's start")
    fast = submit(write(desk, code("print('fast')"), name="fast.ipynb"), output=place)
    assert fast.result(60) == str(place)
    (desk.code / "open").touch()
    assert slow.result(60) == f"{desk.root}/out-job{slow.id}.ipynb"
    assert printed(read(place)) == ["fast\n"]
    assert printed(read(slow.result())) == ["begun\n", "slow\n"]
    assert f"[{place} was replaced by another file: this notebook's output continues in {slow.result()}]\n" in slow.log()


def test_what_appears_at_the_output_s_place_while_the_job_runs_is_not_overwritten(desk):
    place = desk.root / "out.ipynb"
    job = submit(write(desk, code(GATE.format("open")), code("print('end')")), output=place)
    until(lambda: "begun" in job.log() and place.exists(), "its start")
    theirs = write(desk, text("their work"), name="../theirs.ipynb")
    before = theirs.read_bytes()
    theirs.replace(place)
    (desk.code / "open").touch()
    assert printed(read(job.result(60))) == ["begun\n", "end\n"]
    assert place.read_bytes() == before


def test_an_output_that_was_saved_in_jupyterlab_while_the_job_runs_stays_its_output(desk):
    place = desk.root / "out.ipynb"
    job = submit(write(desk, code(GATE.format("open")), code("print('end')")), output=place)
    until(lambda: "begun" in job.log() and place.exists(), "its start")
    nbformat.write(read(place), place)
    (desk.code / "open").touch()
    assert job.result(60) == str(place)
    assert printed(read(place)) == ["begun\n", "end\n"]


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_what_a_cell_clears_is_its_own_and_an_update_changes_what_was_displayed(desk):
    show = "from IPython.display import clear_output, display\nh = display('old', display_id=True)\nprint('kept')"
    loop = "for i in range(3):\n    clear_output(wait=True)\n    display(i)\nh.update('new')"
    job = submit(write(desk, code(show), code(loop)))
    kept = read(job.result(60))
    assert printed(kept) == ["'new'kept\n", "2"]
    shown = [output.get("text") or output.data["text/plain"] for output in job.outputs()]
    assert shown[:-1] == ["'new'", "kept\n", "2"]


def test_in_this_kernel_it_runs_like_any_other_call(desk, capsys):
    path = write(desk, code("print('here')"))
    assert bg.run_here(RUN, {"path": str(path)}) == f"{desk.code}/train.out.ipynb"
    assert capsys.readouterr().out == "here\n"


def test_notebooks_of_others(desk):
    simple = submit(OTHERS / "simple_execute.ipynb", parameters={"msg": "Hello"}, output=desk.root / "simple.ipynb")
    older = submit(OTHERS / "nb_version_4.4.ipynb", parameters={"var": 7}, output=desk.root / "older.ipynb")
    left = submit(OTHERS / "sysexit0.ipynb", output=desk.root / "left.ipynb")
    broken = submit(OTHERS / "broken1.ipynb", output=desk.root / "broken.ipynb")
    assert printed(read(simple.result(60)))[-1] == "Hello\n"
    assert printed(read(older.result(60)))[-1] == "7\n"
    assert not any("id" in cell for cell in read(older.result()).cells)  # which the format 4.4 has not
    assert [len(cell.outputs) for cell in read(left.result(60)).cells] == [0, 2, 0]  # sys.exit(0) is an end, and no failure
    assert str(broken.exception(60)) == "cell 2 of 3: AssertionError"
    assert printed(read(desk.root / "broken.ipynb"))[0] == "We're good.\n"


# -- parameters ----------------------------------------------------------------------------------------------------------

PARAMETERS = """%matplotlib inline
from pathlib import Path
alpha: float = 0.5
count = 3
name = "x"
data: Path = Path("a")
sizes: "list[int] | None" = None
anything = Path("b")
left, right = 1, "two"
"""


def given(values, source=PARAMETERS):
    notebook = v4.new_notebook(cells=[code(source, "parameters")])
    return bg.notebooks.job._fitted(notebook, "/x/train.ipynb", "python", values)


@pytest.fixture(autouse=True)
def job_module():
    bg.Notebook  # noqa: B018 - loads the module


@pytest.mark.parametrize(
    ("name", "value", "written"),
    [
        ("alpha", "0.25", "alpha = 0.25"),
        ("alpha", 1, "alpha = 1.0"),
        ("alpha", float("inf"), 'alpha = float("inf")'),
        ("count", 0.5, "count = 0.5"),
        ("count", None, "count = None"),
        ("name", "it's", 'name = "it\'s"'),
        ("data", "/d/e", "data = __import__(\"pathlib\").Path('/d/e')"),
        ("sizes", ["1", 2], "sizes = [1, 2]"),
        ("anything", {"a": (1,)}, "anything = {'a': (1,)}"),
        ("right", "three", "right = 'three'"),
    ],
)
def test_a_value_is_converted_by_the_annotation_or_the_default_and_written_as_python(name, value, written):
    assert injection.source(given({name: value})) == f"# Parameters\n{written}"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"alhpa": 1}, "train.ipynb has no parameter alhpa; it takes alpha, count, name, data, sizes, anything, left, right."),
        ({"alpha": "much"}, "train.ipynb: alpha='much' does not fit float: input should be a valid number"),
        ({"name": 5}, "train.ipynb: name=5 does not fit"),
        ({"anything": object()}, "anything is a object, which can't be written into a notebook's cell"),
    ],
)  # fmt: skip
def test_a_parameter_that_does_not_fit_is_refused_at_submit(values, said):
    with pytest.raises(bg.InvalidParameters) as refusal:
        given(values)
    assert str(refusal.value).startswith(said)


def test_what_must_be_given_is_asked_for_as_it_is_given(desk):
    path = write(desk, code("n: int\nname: str", "parameters"))
    with pytest.raises(bg.InvalidParameters) as refusal:
        submit(path)
    assert str(refusal.value) == 'train.ipynb is missing the required parameters n, name: pass parameters={"n": …, "name": …}'


def test_the_cell_of_the_parameters_is_read_and_never_executed(tmp_path):
    marker = tmp_path / "ran"
    shape = signature.signature_of(v4.new_notebook(cells=[code(f"x = open({str(marker)!r}, 'w')\ny: int", "parameters")]), "a")
    assert [(slot.name, slot.required) for slot in shape.parameters] == [("x", False), ("y", True)]
    assert not marker.exists()


def test_a_cell_that_was_injected_before_is_replaced_and_a_secret_is_not_written(desk):
    old = code("count = 100\ntoken = 'old'", "injected-parameters")
    seen = code("print(count, len(token))")
    path = write(desk, code("count = 1\ntoken = ''", "parameters"), old, seen)
    job = submit(path, parameters={"count": 2, "token": "hush-hush"})
    kept = read(job.result(60))
    assert [cell.source for cell in kept.cells][1] == "# Parameters\ncount = 2\ntoken = '•••'"
    assert printed(kept)[-1] == "2 9\n"
    assert "hush-hush" not in Path(job.result()).read_text() + repr(job)


# -- failures ------------------------------------------------------------------------------------------------------------


def test_it_stops_at_the_cell_that_raises_and_says_which(desk):
    allow(desk, RetryPolicy__max_attempts=3)
    path = write(
        desk,
        text("# First\n\n## Load"),
        code("1/0", "raises-exception"),
        text("no heading"),
        code("print('loading')\ndata = lod()"),
        code("print('never')"),
    )
    job = submit(path, output=desk.root / "out.ipynb")
    error = job.exception(60)
    assert type(error) is bg.CellFailed
    assert (error.ename, error.evalue) == ("NameError", "name 'lod' is not defined")
    assert job.error == "CellFailed: cell 2 of 3 (Load): NameError: name 'lod' is not defined"
    assert "data = lod()" in job.traceback
    assert "\x1b" not in job.traceback
    assert len(job.attempts) == 1  # a fault of the code, as in any job
    assert "ZeroDivisionError" in job.log()
    assert [output.ename for output in job.outputs() if output.output_type == "error"] == ["ZeroDivisionError", "CellFailed"]
    kept = read(desk.root / "out.ipynb")
    assert printed(kept) == ["", "loading\n", ""]
    assert kept.cells[3].outputs[-1].ename == "NameError"


def test_a_cell_that_asks_for_input_is_told_that_there_is_none(desk):
    job = submit(write(desk, code("input('name? ')")))
    assert type(job.exception(60)) is bg.CellFailed
    assert "StdinNotImplementedError" in job.error
    assert "does not support input" in job.error


def test_a_kernel_that_dies_leaves_a_sentence_and_what_was_done(desk):
    die = "print('before', flush=True)\nimport os, time; time.sleep(0.2)\nos.kill(os.getpid(), 9)"
    job = submit(write(desk, code("print('one')"), text("# Death"), code(die)), output=desk.root / "out.ipynb")
    assert type(job.exception(60)) is bg.KernelDied
    kept = desk.root / "out.ipynb"
    assert job.error == f"KernelDied: the kernel died in cell 2 of 2 (Death) (signal 9); the output so far is saved in {kept}"
    assert printed(read(kept)) == ["one\n", "before\n"]
    assert job.log().startswith("one\nbefore\n")


WAITS = """
import time
print("working", flush=True)
try:
    time.sleep(600)
finally:
    print("cleaned up", flush=True)
"""


@pytest.mark.parametrize("way", ["cancelled", "timeout"])
def test_who_ends_the_job_ends_the_kernel_and_what_was_done_is_kept(desk, way):
    timeout = 6 if way == "timeout" else None
    job = submit(write(desk, code("print('one')"), code(WAITS)), output=desk.root / "out.ipynb", timeout=timeout)
    until(lambda: "working" in job.log(), "the second cell")
    assert len(kernel_processes(desk)) == 1
    if way == "cancelled":
        job.cancel()
    with pytest.raises(bg.JobCancelled if way == "cancelled" else bg.JobTimeout):
        job.result(60)
    assert [each.outcome for each in job.attempts] == [way]
    assert not kernel_processes(desk)
    assert printed(read(desk.root / "out.ipynb")) == ["one\n", "working\ncleaned up\n"]


def test_a_notebook_whose_cell_catches_the_interrupt_is_cancelled(desk):
    catches = "import time\nprint('working', flush=True)\ntry: time.sleep(600)\nexcept KeyboardInterrupt: print('caught')"
    job = submit(write(desk, code(catches)), output=desk.root / "out.ipynb")
    until(lambda: "working" in job.log(), "the cell")
    job.cancel()
    assert (job.state, [each.outcome for each in job.attempts]) == ("cancelled", ["cancelled"])


def test_a_kernel_ends_with_a_worker_that_was_killed(desk):
    job = submit(write(desk, code(WAITS)), output=desk.root / "out.ipynb")
    until(lambda: "working" in job.log(), "the cell")
    [kernel] = kernel_processes(desk)
    folder = job.attempts[-1].folder
    os.kill(json.loads((desk.state / folder / "started.json").read_text())["process"]["pid"], signal.SIGKILL)
    assert type(job.exception(60)) is bg.JobLost
    until(lambda: gone(kernel), "the end of the kernel")


def test_a_long_cell_s_output_is_in_the_file_while_it_runs(desk):
    loop = "import pathlib, time\nwhile not pathlib.Path('enough').exists():\n    print('tick', flush=True); time.sleep(0.05)"
    job = submit(write(desk, code(loop)), output=desk.root / "out.ipynb")
    until(lambda: (desk.root / "out.ipynb").exists() and "tick" in printed(read(desk.root / "out.ipynb"))[0], "an early write")
    (desk.code / "enough").touch()
    job.result(60)


# -- resuming ------------------------------------------------------------------------------------------------------------


def test_a_retry_goes_on_from_the_cell_that_failed(desk):
    allow(desk, RetryPolicy__max_attempts=2, RetryPolicy__delay_seconds=0)
    count = "import pathlib\npathlib.Path('ran').open('a').write('x')\nprint(pathlib.Path('ran').read_text())"
    fails_once = (
        "made = pathlib.Path('made')\nif not made.exists():\n    made.touch()\n    raise OSError('first run')\nprint(step)"
    )
    path = write(desk, code("step = 2", "setup"), code("import pathlib", "setup"), code(count), code(fails_once))
    job = submit(path, output=desk.root / "out.ipynb", resume=True)
    assert job.result(60) == str(desk.root / "out.ipynb")
    assert [each.outcome for each in job.attempts] == ["error", "succeeded"]
    assert job.attempts[0].error == "CellFailed: cell 4 of 4: OSError: first run"
    assert (desk.code / "ran").read_text() == "x"
    assert printed(read(job.result())) == ["", "", "x\n", "2\n"]
    assert job.log() == f"[1 of 4 cells already succeeded in {desk.root}/out.ipynb and are skipped]\n2\n"


def test_a_notebook_that_ended_itself_ends_there_again_when_it_is_resumed(desk):
    path = write(desk, code("print(1)"), code("import sys; sys.exit(0)"), code("open('beyond', 'w').close()"))
    for _ in range(2):
        submit(path, output=desk.root / "out.ipynb", resume=True).result(60)
    assert not (desk.code / "beyond").exists()


def test_a_new_submit_runs_again_from_the_first_cell_that_has_changed(desk):
    count = "open('ran', 'a').write({!r})"
    write(desk, code("n = 1", "parameters"), *(code(count.format(each)) for each in "abc"))
    path = desk.code / "train.ipynb"
    submit(path, output=desk.root / "out.ipynb").result(60)
    write(desk, code("n = 1", "parameters"), *(code(count.format(each)) for each in "aBc"))
    submit(path, output=desk.root / "out.ipynb", resume=True).result(60)
    assert (desk.code / "ran").read_text() == "abcBc"
    submit(path, output=desk.root / "out.ipynb", resume=True, parameters={"n": 2}).result(60)  # what they had counted with is new
    assert (desk.code / "ran").read_text() == "abcBcaBc"


# -- bad input -----------------------------------------------------------------------------------------------------------


def bad(place, name):
    """Write something that can't be run; return its path, other parameters, and what is said."""
    sound = write(place, code("print(1)"), name="sound.ipynb")
    (place.code / "text.ipynb").write_text("no JSON")
    (place.code / "list.ipynb").write_text("[1, 2]")
    (place.code / "old.ipynb").write_text(json.dumps({"nbformat": 3, "nbformat_minor": 0, "worksheets": 5}))
    (place.code / "file").write_text("")
    write(place, code("x"), name="r.ipynb", kernelspec={"name": "nowhere", "display_name": "R"})
    write(place, code("x"), name="nameless.ipynb", language_info={"name": "julia"})
    (place.code / "odd.ipynb").write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"a": 1}]}))
    (place.code / "deep.ipynb").write_text('{"cells": ' + "[" * 5000 + "]" * 5000 + "}")
    os.mkfifo(place.code / "pipe.ipynb")
    odder = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "code", "source": ""}]}
    (place.code / "odder.ipynb").write_text(json.dumps(odder))
    table = {
        "missing": (
            "missing.ipynb",
            {},
            "The notebook {code}/missing.ipynb can't be read: No such file or directory.",
        ),
        "a folder": ("", {}, "The notebook {code} can't be read: Is a directory."),
        "no JSON": ("text.ipynb", {}, "{code}/text.ipynb is not a notebook: it does not contain valid JSON."),
        "deep JSON": (
            "deep.ipynb",
            {},
            "{code}/deep.ipynb can't be run: it is too deeply nested or too large.",
        ),
        "a list": ("list.ipynb", {}, "{code}/list.ipynb can't be run: it has no nbformat or no cells"),
        "format 3": ("old.ipynb", {}, "{code}/old.ipynb has the old format 3, which could not be upgraded: "),
        "not valid": ("odd.ipynb", {}, "{code}/odd.ipynb is not a valid notebook: "),
        "no such kernel": (
            "r.ipynb",
            {},
            '{code}/r.ipynb asks for the kernel nowhere, which is not installed: pass kernel="…"',
        ),
        "no kernel": ("nameless.ipynb", {}, "{code}/nameless.ipynb is written in julia and names no kernel"),
        "no parameters cell": ("sound.ipynb", {"parameters": {"a": 1}}, 'has no cell tagged "parameters", so it does not take a'),
        "no folder": (
            "sound.ipynb",
            {"output": "file/out/"},
            "output 'file/out/' can't be written: {code}/file is not a folder.",
        ),
        "no notebook": ("sound.ipynb", {"output": "out.txt"}, "output must end in .ipynb or be a folder (out.txt/"),
        "odder": ("odder.ipynb", {}, "{code}/odder.ipynb is not a valid notebook: part of it has no metadata."),
        "somebody's": ("sound.ipynb", {"output": "r.ipynb"}, "output 'r.ipynb' already exists and was not written by a job"),
        "a pipe": ("pipe.ipynb", {}, "{code}/pipe.ipynb is not a notebook: it is not a regular file."),
        "into a pipe": (
            "sound.ipynb",
            {"output": "pipe.ipynb"},
            "output 'pipe.ipynb' already exists and was not written by a job",
        ),
        "itself": ("sound.ipynb", {"output": "./sound.ipynb"}, "the notebook itself, which is never overwritten"),
        "read-only": ("sound.ipynb", {"output": "/proc/x.ipynb"}, "output '/proc/x.ipynb' can't be written: /proc: "),
        "a wrong name": ("sound.ipynb", {"params": {"a": 1}}, "run() has no parameter params; it takes path, parameters, output"),
    }
    path, params, said = table[name]
    return place.code / path, params, said.format(code=sound.parent)


@pytest.mark.parametrize(
    "name",
    ["missing", "a folder", "no JSON", "deep JSON", "a list", "format 3", "not valid", "no such kernel", "no kernel",
     "no parameters cell",
     "no folder", "no notebook", "odder", "somebody's", "a pipe", "into a pipe", "itself", "read-only", "a wrong name"],
)  # fmt: skip
def test_bad_input_costs_one_sentence_and_nothing_is_submitted(desk, monkeypatch, name):
    path, params, said = bad(desk, name)
    monkeypatch.chdir(desk.code)
    with pytest.raises(bg.InvalidParameters) as refusal:
        submit(path, **params)
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert bg.jobs() == []
    assert list((desk.state / "jobs").glob("*")) == []


def test_bad_notebooks_of_others(desk):
    with pytest.raises(bg.InvalidParameters, match="asks for the kernel r, which is not installed"):
        submit(OTHERS / "notimplemented_translator.ipynb")
    with pytest.raises(bg.InvalidParameters, match=r"The cell tagged parameters in .* can't be parsed"):
        submit(OTHERS / "complex_parameters.ipynb", parameters={"a": 1})


def test_a_notebook_of_another_language_takes_no_parameters(desk, monkeypatch):
    folder = desk.root / "jupyter-data" / "kernels" / "bash"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps({"argv": ["true"], "display_name": "Bash", "language": "bash"}))
    path = write(desk, code("x=1", "parameters"), kernelspec={"name": "bash", "display_name": "Bash"})
    with pytest.raises(bg.InvalidParameters, match="is written in bash: only Python notebooks take parameters"):
        submit(path, parameters={"x": 2})
    job = submit(path, output=desk.root / "out.ipynb")  # its kernel ends at once
    assert type(job.exception(60)) is bg.KernelDied
    assert f"KernelDied: the kernel bash of {path} did not start" in job.error
    assert read(desk.root / "out.ipynb").cells


# -- which notebooks may run ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("/w/**/*.ipynb", "/w/a.ipynb", True),
        ("/w/**/*.ipynb", "/w/x/y/a.ipynb", True),
        ("/w/**/*.ipynb", "/w/x/a.py", False),
        ("/w/**/*.ipynb", "/v/a.ipynb", False),
        ("/w/*.ipynb", "/w/x/a.ipynb", False),
        ("/w/*/a.ipynb", "/w/x/a.ipynb", True),
        ("/w/**", "/w/x/a.ipynb", True),
        ("/w/a.ipynb", "/w/a.ipynb", True),
        ("/w/a.ipynb", "/w/b.ipynb", False),
        ("/w/**/x/**/a?.ipynb", "/w/1/x/2/3/ab.ipynb", True),
        ("/w/**/x/**/a?.ipynb", "/w/1/2/ab.ipynb", False),
        ("/w", "/w/a.ipynb", False),
    ],
)
def test_a_pattern_of_paths(pattern, path, fits):
    assert globs.matches(path, pattern) is fits


@pytest.mark.parametrize("name", ["train.ipynb", "a b [1]/it's ü.ipynb"])
def test_nothing_is_allowed_until_a_pattern_says_so_and_the_line_of_the_refusal_does(place, name):
    path = write(place, code("1"), name=name)
    other = write(place, code("1"), name="other.ipynb")
    place.allow({"ipybgjobs.Notebook": ["run"]})
    with pytest.raises(bg.JobNotAllowed, match=r"it matches no pattern in BackgroundJobs\.allowed_notebooks") as refusal:
        submit(path)
    shell(place, str(refusal.value).rpartition("To allow it: ")[2])
    bg.pause()
    assert submit(path).cancel().state == "cancelled"
    with pytest.raises(bg.JobNotAllowed):
        submit(other)


def shell(place, line):
    """Run a line as a notebook's ``!`` would."""
    return subprocess.run(line, shell=True, env=place.environment, cwd=place.code, capture_output=True, text=True, check=False)


def test_allow_takes_a_pattern_and_writes_only_what_is_not_allowed_already(place):
    write(place, code("1"), name="deep/one.ipynb")
    file = place.root / "jupyter" / "ipybgjobs_config.json"
    assert shell(place, f"{sys.executable} -m ipybgjobs allow 'deep/**/*.ipynb'").stdout.startswith(
        f"{place.code}/deep/**/*.ipynb is"
    )
    for given in ("deep/one.ipynb", "deep/../deep/**/*.ipynb"):
        assert shell(place, f"{sys.executable} -m ipybgjobs allow '{given}'").returncode == 0
    section = json.loads(file.read_text())["BackgroundJobs"]
    assert section == {
        "allowed_notebooks": [f"{place.code}/deep/**/*.ipynb"],
        "allowed_jobs": {"ipybgjobs.Notebook": ["run"]},
    }
    missing = shell(place, f"{sys.executable} -m ipybgjobs allow deep/two.ipynb")
    assert missing.returncode == 1
    assert (
        missing.stderr
        == "There is no notebook deep/two.ipynb; to allow notebooks that do not exist yet, use a pattern in quotes: "
        "'work/**/*.ipynb'.\n"
    )


def test_an_explanation_names_the_pattern_and_says_that_the_file_is_sent_along(desk):
    path = write(desk, code("1"))
    explained = client().explain(RUN, {"path": str(path)})
    found = explained.to_json()
    assert found["notebook"] == {"pattern": f"{desk.root}/**/*.ipynb"}
    assert f"  notebook      matches '{desk.root}/**/*.ipynb' in allowed_notebooks\n" in str(explained)
    assert (found["params"][0]["name"], found["params"][0]["type"]) == ("path", "file, sent with the job")
    client().close()


def test_a_link_leads_around_no_pattern_and_a_linked_home_is_no_obstacle(desk, monkeypatch):
    inside, outside = desk.root / "inside", desk.root / "outside"
    write(desk, code("1"), name="../outside/a.ipynb")
    inside.mkdir()
    (inside / "b.ipynb").symlink_to(outside / "a.ipynb")
    (desk.root / "home").symlink_to(outside)
    monkeypatch.setenv("HOME", str(desk.root / "home"))
    allow(desk, f"{inside}/*.ipynb")
    with pytest.raises(bg.JobNotAllowed, match=f"{outside}/a.ipynb can't run as a job"):
        submit(inside / "b.ipynb")
    allow(desk, "~/*.ipynb")
    bg.pause()
    job = submit("~/a.ipynb")
    assert job.params["path"] == f"{outside}/a.ipynb"
    job.cancel()


def test_a_pattern_struck_off_since_the_submit_denies_the_job_at_launch(desk):
    path = write(desk, code("open('ran', 'w')"))
    bg.pause()
    jobs = [submit(path), *bg.submit_many(RUN, [{}], common={"path": str(path)}).jobs]
    allow(desk, f"{desk.root}/elsewhere/*.ipynb")
    bg.resume()
    for job in jobs:
        assert job.wait(60).attempts[-1].outcome == "denied"
        assert f"no pattern in allowed_notebooks matches '{path}' (any more)" in job.error
    assert not (desk.code / "ran").exists()


#: Names of a class or module there, and of what is called, that are our class of notebooks.
NOTEBOOK_NAMES = ["Notebook.run", "Again.run", "Mine.run", "Other.Inner.run", "bound", "Careless.run"]

#: Likewise, of cells.
CELL_NAMES = ["Cell.run", "MyCell.run", "run_cell", "part"]


def allow_aliases(place, **settings):
    place.module("alias")
    allowed = {}
    for name in [*NOTEBOOK_NAMES, *CELL_NAMES]:
        owner, _, method = f"alias.{name}".rpartition(".")
        allowed.setdefault(owner, []).append(method)
    place.allow(allowed, **settings)


@pytest.mark.parametrize("name", NOTEBOOK_NAMES)
def test_by_whatever_name_our_class_is_allowed_its_notebooks_are_looked_at(place, name):
    allow_aliases(place)
    with pytest.raises(bg.JobNotAllowed, match="allowed_notebooks"):
        bg.submit(f"alias.{name}", {"path": str(write(place, code("1")))})


@pytest.mark.parametrize("name", CELL_NAMES)
def test_by_whatever_name_the_class_of_cells_is_allowed_the_switch_for_code_counts(place, name):
    allow_aliases(place)
    with pytest.raises(bg.JobNotAllowed, match=r"The code of a cell can't run as a job\. .*allow_notebook_code = True"):
        bg.submit(f"alias.{name}", {"code": "1"})


def test_a_class_derived_from_ours_runs_a_notebook_that_a_pattern_fits(place):
    path = write(place, code("print('it ran')"))
    allow_aliases(place, BackgroundJobs__allowed_notebooks=[str(path)])
    output = bg.submit("alias.Mine.run", {"path": str(path)}).result(60)
    assert printed(read(output)) == ["it ran\n"]


@pytest.mark.parametrize(
    ("name", "given"), [("Notebook", {"path": "/a.ipynb"}), ("Cell", {"code": "open('ran', 'w')"})], ids=["notebook", "cell"]
)
def test_a_worker_whose_class_demands_what_the_files_do_not_permit_calls_nothing_and_is_not_retried(place, name, given):
    """The submit has seen another class by that name; the supervisor knows names alone."""
    place.module("later", "class Late:\n    def run(self, path: str = '', code: str = ''):\n        return 'before'\n")
    place.allow({"later.Late": ["run"]}, RetryPolicy__max_attempts=3)
    bg.pause()
    job = bg.submit("later.Late.run", given)
    place.module("later", f"from ipybgjobs import {name} as Late\n")
    bg.resume()
    assert job.wait(60).state == "failed"
    assert [made.outcome for made in job.attempts] == ["error"]
    assert job.error.startswith(f"JobNotAllowed: {name}.run runs ")
    assert not (place.code / "ran").exists()


@pytest.mark.parametrize(
    "key", ["ipybgjobs.notebooks.job.Notebook", "ipybgjobs.notebooks.cell.Cell", "ipybgjobs", "ipybgjobs.api"]
)
def test_of_this_package_an_entry_allows_notebooks_alone_by_their_documented_name(tmp_path, key):
    with pytest.raises(bg.ConfigurationError, match=r"of this package, only ipybgjobs\.Notebook can be allowed, under that name"):
        loaded(tmp_path, ("user", f"c.BackgroundJobs.allowed_jobs = {{{key!r}: ['run']}}"))


def loaded(tmp_path, *files, administered=()):
    found = []
    for number, (rank, content) in enumerate(files):
        path = tmp_path / f"{number}_config.py"
        path.write_text(content)
        found.append(sources.ConfigurationFile(str(path), rank))
    return loading.load(found, lambda path: path not in {found[number].path for number in administered})


def test_patterns_of_several_files_are_united_and_a_locked_file_decides_alone(tmp_path):
    system = ("system", "c.BackgroundJobs.allowed_notebooks = ['/a/*.ipynb']\nc.BackgroundJobs.locked = True")
    user = ("user", "c.BackgroundJobs.allowed_notebooks.append('~/b/*.ipynb')")
    both = loaded(tmp_path, system, user)
    assert both.allowed_notebooks == ("/a/*.ipynb", os.path.expanduser("~/b/*.ipynb"))
    assert Settings.from_json(json.loads(json.dumps(both.to_json()))) == both
    locked = loaded(tmp_path, system, user, administered=[0])
    assert locked.allowed_notebooks == ("/a/*.ipynb",)
    with pytest.raises(bg.JobNotAllowed, match=r"0_config.py is locked: only a pattern in that file can allow it"):
        target_rules.of(demands.NOTEBOOK).check(RUN, {"path": "/b/x.ipynb"}, locked)


@pytest.mark.parametrize("wrong", ["['work/*.ipynb']", "['/w/../v/*.ipynb']", "'w/*.ipynb'", "[5]"])
def test_a_pattern_that_is_none_is_a_broken_configuration(tmp_path, wrong):
    with pytest.raises(bg.ConfigurationError, match=r"0_config.py, line 1: BackgroundJobs.allowed_notebooks"):
        loaded(tmp_path, ("user", f"c.BackgroundJobs.allowed_notebooks = {wrong}"))


def test_a_notebook_narrows_by_config_and_never_widens(desk):
    live = BackgroundJobs()
    use(Client(live=LiveTraits(live)))
    path = write(desk, code("1"))
    live.allowed_notebooks = [f"{desk.code}/other/*.ipynb"]
    with pytest.raises(bg.JobNotAllowed, match=r"%config BackgroundJobs.allowed_notebooks in this notebook excludes it"):
        submit(path)
    allow(desk, f"{desk.root}/elsewhere/*.ipynb")
    live.allowed_notebooks = ["/**"]
    with pytest.raises(bg.JobNotAllowed, match=r"it matches no pattern in BackgroundJobs.allowed_notebooks"):
        submit(path)
    client().close()


# -- what it loads -------------------------------------------------------------------------------------------------------


def test_a_worker_loads_neither_the_client_nor_what_only_a_submit_needs():
    ask = "import ipybgjobs, sys, json; ipybgjobs.Notebook; import ipybgjobs.notebooks.execution as e; "
    ask += "print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    names = set(json.loads(done.stdout))
    assert not {"IPython", "pydantic", "papermill"} & names
    ours = {name.split(".")[1] for name in names if name.startswith("ipybgjobs.")}
    assert not ours & {"client", "store", "supervisor", "configuration", "binding", "api"}
