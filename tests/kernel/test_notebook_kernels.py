"""What passes between a notebook's job and its kernel: nothing is dropped, late output finds its cell, kernels share no port."""

# ruff: noqa: E501 - cells and tables are read by the row

import datetime as dt
import decimal
import json
import os
import pathlib
import re
import sys
import textwrap
import uuid
import zoneinfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nbformat import v4

import ipybgjobs as bg
from ipybgjobs.notebooks import document, growing_stream, injection, kernels, message_counter, transport
from support.notebooks import NATIVE, allow, code, printed, read, submit, write
from support.place import until

#: A kernel that is none of IPython's, by ipykernel's machinery: it prints as many lines as the cell says.
OTHER_KERNEL = """
    import sys, time
    from ipykernel.kernelapp import IPKernelApp
    from ipykernel.kernelbase import Kernel

    class Lines(Kernel):
        implementation, implementation_version, banner = "lines", "1", ""
        language_info = {"name": "lines", "mimetype": "text/plain", "file_extension": ".txt"}

        async def do_execute(self, code, silent, *more, **options):
            for number in range(int(code)):
                self.send_response(self.iopub_socket, "stream", {"name": "stdout", "text": f"{number} {'x' * 5_000}\\n"})
            return {"status": "ok", "execution_count": self.execution_count, "payload": [], "user_expressions": {}}

    IPKernelApp.launch_instance(kernel_class=Lines)
"""


def install_kernel(place, name, argv, language):
    folder = place.root / "jupyter-data" / "kernels" / name
    folder.mkdir(parents=True)
    spec = {"argv": argv, "display_name": name.title(), "language": language}
    (folder / "kernel.json").write_text(json.dumps(spec))


# -- nothing is dropped --------------------------------------------------------------------------------------------------


def test_fifty_thousand_lines_beside_large_displays_are_all_kept(desk):
    large = "from IPython.display import display\nfor _ in range(100): display({'text/plain': 'x' * 200_000}, raw=True)"
    path = write(desk, code(f"{large}\nfor i in range(50_000): print(i, flush=True)"))
    job = submit(path, output=desk.root / "out.ipynb").wait(120)
    assert job.state == "succeeded", job.error
    lines = [str(number) for number in range(50_000)]
    assert [line for line in job.log().splitlines() if line.isdigit()] == lines
    [*shown, text] = json.loads((desk.root / "out.ipynb").read_text())["cells"][0]["outputs"]
    assert len(shown) == 100
    assert "".join(text["text"]).splitlines() == lines


def test_a_kernel_that_drops_messages_makes_the_job_say_how_many(desk):
    allow(desk, BackgroundJobs__max_output_bytes=None)  # or what is kept, 150 MB if none is dropped, would be cut
    (desk.root / "lines.py").write_text(textwrap.dedent(OTHER_KERNEL))
    install_kernel(desk, "lines", [sys.executable, str(desk.root / "lines.py"), "-f", "{connection_file}"], "lines")
    spec = {"kernelspec": {"name": "lines", "display_name": "Lines", "language": "lines"}}
    few = submit(write(desk, code("5"), name="few.ipynb", **spec), output=desk.root / "few.ipynb")
    few.result(60)
    assert "did not arrive" not in few.log()
    many = submit(write(desk, code("30000"), name="many.ipynb", **spec), output=desk.root / "many.ipynb").wait(120)
    text = printed(read(desk.root / "many.ipynb"))[0]
    kept = sum(line.endswith("x") for line in text.splitlines())
    told = re.search(r"\[(\d+) messages of the kernel did not arrive: the output shown is incomplete\]", many.log())
    assert told is not None if kept < 30_000 else told is None
    assert told is None or int(told[1]) >= 30_000 - kept
    assert (told is None) or told[0] in text


def test_numbers_that_are_missing_between_the_first_and_the_last_are_counted():
    found = message_counter.MessageCounter()
    assert found.missing() == 0
    for name in ("a_7_1", "a_7_2", "a_7_6", "a_8_100", "without", "a_7_4"):
        found.note({"header": {"msg_id": name}})
    assert found.missing() == 2
    found.note_reply()
    assert found.missing() == 1


def test_text_that_grows_is_copied_a_few_times_and_not_each_time():
    class Text(dict):
        copied = 0

        def __setitem__(self, key, value):
            self.copied += len(value)
            super().__setitem__(key, value)

    output, text = Text(text=""), growing_stream.StreamBuffer()
    for _ in range(10_000):
        text.add(output, "0123456789")
    text.flush()
    assert output["text"] == "0123456789" * 10_000
    assert output.copied < 5 * 100_000


# -- late output ---------------------------------------------------------------------------------------------------------

TICKS = """
import asyncio
from IPython.display import clear_output, display
async def tick():
    display("old"); clear_output(wait=True)
    for i in range(3):
        await asyncio.sleep(0.2); print("tick", i)
task = asyncio.create_task(tick())
"""


def test_what_a_task_shows_later_stands_below_the_cell_that_began_it(desk):
    job = submit(write(desk, code(TICKS), code("await task; print('second')"), code("3")), output=desk.root / "out.ipynb")
    job.result(60)
    assert printed(read(desk.root / "out.ipynb")) == ["tick 0\ntick 1\ntick 2\n", "second\n", "3"]
    assert sorted(job.log().splitlines()) == ["second", "tick 0", "tick 1", "tick 2"]


def test_what_a_task_shows_after_the_last_cell_s_end_is_kept(desk):
    late = "import asyncio\nasync def tell(): print('late')\n_ = asyncio.get_running_loop().call_soon(lambda: asyncio.ensure_future(tell()))"
    job = submit(write(desk, code(late)), output=desk.root / "out.ipynb")
    job.result(60)
    assert printed(read(desk.root / "out.ipynb"))[0] == "late\n"


# -- what a cell is ------------------------------------------------------------------------------------------------------


def test_cells_tagged_to_be_skipped_are_not_run_and_not_counted(desk):
    job = submit(write(desk, code("print(1)"), code("1 / 0", "skip-execution"), code("print(2)")), output=desk.root / "out.ipynb")
    job.result(60)
    kept = read(desk.root / "out.ipynb")
    assert [cell.execution_count for cell in kept.cells] == [1, None, 2]
    assert printed(kept) == ["1\n", "", "2\n"]


def test_a_value_that_can_not_be_shown_ends_the_notebook_by_its_own_error(desk):
    bad = "class A:\n    def __repr__(self): raise ValueError('no look')\nA()"
    job = submit(write(desk, code(bad)), retry={"max_attempts": 3, "never_retry": ["ValueError"], "delay_seconds": 0})
    error = job.exception(60)
    assert (error.ename, error.evalue) == ("ValueError", "no look")
    assert job.error == "CellFailed: cell 1 of 1: ValueError: no look"
    assert len(job.attempts) == 1


def test_the_traceback_of_a_notebook_that_was_ended_shows_the_cell_s_line(desk):
    wait = "import time\nprint('working', flush=True)\ntime.sleep(600)"
    job = submit(write(desk, code(wait)), output=desk.root / "out.ipynb")
    until(lambda: "working" in job.log(), "the cell")
    job.cancel()
    assert job.state == "cancelled"
    assert "time.sleep(600)" in job.traceback
    assert "execution.py" not in job.traceback


def test_the_output_says_the_kernel_s_language_and_version(desk):
    stale = {**NATIVE, "language_info": {"name": "python", "version": "2.7"}}
    job = submit(write(desk, code("1"), **stale), output=desk.root / "out.ipynb")
    job.result(60)
    assert read(desk.root / "out.ipynb").metadata.language_info.version == sys.version.split()[0]


def test_a_figure_that_only_a_page_could_draw_is_told(desk):
    draw = "%matplotlib notebook\nimport matplotlib.pyplot as plt\n_ = plt.plot([1, 2])"
    job = submit(write(desk, code(draw)), output=desk.root / "out.ipynb")
    job.result(60)
    assert "needs an open page and is not saved: use %matplotlib inline" in job.log()


# -- which kernel --------------------------------------------------------------------------------------------------------


def test_another_kernel_is_chosen_by_name_and_the_output_names_it(desk):
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    install_kernel(desk, "mine", argv, "Python")
    path = write(desk, code("n = 1", "parameters"), code("print(n)"), kernelspec={"name": "gone", "display_name": "Gone"})
    with pytest.raises(
        bg.InvalidParameters, match=r"asks for the kernel gone, which is not installed: pass kernel=.*available: .*mine"
    ):
        submit(path)
    with pytest.raises(bg.InvalidParameters, match=r"^kernel='none' is not installed; available: .*mine"):
        submit(path, kernel="none")
    job = submit(path, kernel="mine", parameters={"n": 2}, output=desk.root / "out.ipynb")
    job.result(60)
    kept = read(desk.root / "out.ipynb")
    assert printed(kept)[-1] == "2\n"
    assert kept.metadata.kernelspec == {"name": "mine", "display_name": "Mine", "language": "Python"}


@pytest.mark.parametrize("language", ["python", "Python", "ipython", "ipython3", "python3"])
def test_python_by_any_name_is_python(language):
    notebook = v4.new_notebook(metadata={"language_info": {"name": language}})
    assert kernels.name_for(notebook, "x.ipynb") == "python3"
    assert kernels.is_python(language)


# -- sockets and ports ---------------------------------------------------------------------------------------------------


def test_a_kernel_is_reached_by_sockets_in_the_job_s_folder_and_leaves_none(desk):
    job = submit(write(desk, code("import ipykernel.kernelapp as k; print(k.IPKernelApp.instance().transport)")))
    job.result(60)
    assert job.log() == "ipc\n"
    folder = desk.state / job.attempts[0].folder
    assert not [name for name in os.listdir(folder) if name.startswith("k")]


def test_where_no_socket_can_be_a_kernel_has_ports_and_is_started_again_when_it_has_lost_one(desk, monkeypatch):
    monkeypatch.setattr(transport.tempfile, "gettempdir", lambda: "/" + "x" * 100)
    for folder in ("/" + "y" * 100, "/proc"):
        found = list(transport.managers("python3", folder))
        assert [each.transport for each in found] == ["tcp"] * 3
        for each in found:
            each.context.term()
    assert transport.has_lost_a_port("zmq.error.ZMQError: Address already in use (addr='tcp://127.0.0.1:1')")
    assert not transport.has_lost_a_port("ModuleNotFoundError")


LOSES_ONE = """
    import json, os, sys
    if not os.path.exists(sys.argv[1]):
        open(sys.argv[1], "w").close()
        sys.exit("zmq.error.ZMQError: Address already in use (addr='tcp://127.0.0.1:5')")
    os.execv(sys.executable, [sys.executable, "-m", "ipykernel_" + "launcher", "-f", sys.argv[2]])
"""


def test_a_port_that_was_lost_costs_no_attempt(desk):
    (desk.root / "loses.py").write_text(textwrap.dedent(LOSES_ONE))
    argv = [sys.executable, str(desk.root / "loses.py"), str(desk.root / "marker"), "{connection_file}"]
    install_kernel(desk, "loses", argv, "python")
    job = submit(write(desk, code("print('ran')")), kernel="loses", output=desk.root / "out.ipynb")
    job.result(60)
    assert job.log() == "ran\n"


# -- what nbclient runs, runs --------------------------------------------------------------------------------------------


def tolerated():
    """Notebooks that nbclient runs, by what is odd about them."""

    def notebook(minor=5, **metadata):
        cell = {"cell_type": "code", "id": "a", "metadata": {}, "source": "print('ran')", "outputs": [], "execution_count": None}
        return {"cells": [cell], "metadata": metadata or dict(NATIVE), "nbformat": 4, "nbformat_minor": minor}

    found = {"id in 4.4": notebook(4), "newer": notebook(9), "no kernelspec name": notebook(kernelspec={"display_name": "P"})}
    found["kernelspec null"] = notebook(kernelspec=None)
    found["language null"] = notebook(language_info=None)
    changes = {
        "cell key": {"editor": {}}, "collapsed null": {"metadata": {"collapsed": None}}, "tags twice": {"metadata": {"tags": ["a", "a"]}},
        "tags null": {"metadata": {"tags": None}}, "long id": {"id": "x" * 80}, "id with a space": {"id": "a b"}, "no id": {"id": None},
        "source list": {"source": ["print(", "'ran')"]}, "name number": {"metadata": {"name": 5}},
    }  # fmt: skip
    for name, change in changes.items():
        found[name] = notebook()
        found[name]["cells"][0] |= change
    del found["no id"]["cells"][0]["id"]
    found["top key"] = notebook() | {"extra": 1}
    found["markdown outputs"] = notebook()
    markdown = {"cell_type": "markdown", "id": "m", "metadata": {}, "source": "x", "outputs": [], "execution_count": None}
    found["markdown outputs"]["cells"].insert(0, markdown)
    found["same id"] = notebook()
    found["same id"]["cells"].append({**found["same id"]["cells"][0], "source": ""})
    old = {"cell_type": "code", "input": "print('ran')", "outputs": [], "language": "python", "collapsed": False, "metadata": {}}
    found["format 3"] = {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [{"cells": [old]}]}
    return found


@pytest.mark.parametrize("name", sorted(tolerated()))
@pytest.mark.filterwarnings("ignore:.*not a fully valid notebook")
def test_what_nbclient_runs_is_read(tmp_path, name):
    path = tmp_path / "odd.ipynb"
    path.write_text(json.dumps(tolerated()[name]))
    notebook = document.parse(document.load(str(path)))
    assert [cell.cell.source for cell in document.code_cells(notebook)] == ["print('ran')"]
    assert kernels.name_for(notebook, str(path)) == "python3"


def test_an_odd_notebook_runs_is_told_once_at_submit_and_its_log_has_nothing_of_ours(desk):
    path = desk.code / "odd.ipynb"
    path.write_text(json.dumps(tolerated()["top key"] | {"cells": tolerated()["same id"]["cells"]}))
    with pytest.warns(UserWarning, match="odd.ipynb is not a fully valid notebook, but is run anyway: Additional properties"):
        job = submit(path, output=desk.root / "out.ipynb")
    job.result(60)
    assert job.log() == "ran\n"


# -- parameters ----------------------------------------------------------------------------------------------------------

ZONES = st.one_of(
    st.none(), st.just(dt.UTC), st.sampled_from(["Europe/Berlin", "Asia/Kathmandu"]).map(zoneinfo.ZoneInfo),
    st.integers(-1439, 1439).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes))),
)  # fmt: skip
ATOMS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.complex_numbers(), st.text(), st.binary(), st.dates(),
    st.times(timezones=ZONES), st.datetimes(timezones=ZONES), st.timedeltas(), st.decimals(), st.fractions(), st.uuids(),
    st.sampled_from([pathlib.Path("/a b"), pathlib.PurePosixPath("x"), pathlib.PureWindowsPath("c:\\x"), uuid.UUID(int=1)]),
    st.builds(np.datetime64, st.integers(-(2**62), 2**62), st.sampled_from(["ns", "us", "s", "D"])).filter(
        lambda moment: abs(int(moment.astype("int64"))) < 10**6 or moment.dtype != "datetime64[D]"),
    st.builds(np.timedelta64, st.integers(-(2**62), 2**62), st.sampled_from(["ns", "s", "D", "5m"])),
    st.sampled_from([np.datetime64("NaT"), np.timedelta64("NaT", "s"), np.float32(0.1), np.int8(-3), np.bool_(True), np.str_("s")]),
)  # fmt: skip
KEYS = st.one_of(st.text(), st.integers(), st.dates())
PARAMETER = st.recursive(
    ATOMS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.lists(inner, max_size=3).map(tuple), st.dictionaries(KEYS, inner, max_size=3),
                            st.sets(KEYS, max_size=3), st.frozensets(KEYS, max_size=3)),
    max_leaves=5,
)  # fmt: skip


def same(one, other):
    """Whether two values are equal, and as empty or as little a number."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, decimal.Decimal) and one.is_nan():
        return repr(one) == repr(other)
    return bool(one == other) or repr(one) == repr(other) or bool(one != one and other != other)  # noqa: PLR0124 - NaN


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(PARAMETER)
def test_every_parameter_that_is_accepted_arrives_equal_and_brings_no_other_name(value):
    names = {"datetime": "the notebook's", "numpy": "the notebook's"}
    exec(injection.source({"value": value}), names)
    assert same(value, names["value"])
    if isinstance(value, (dt.datetime, dt.time)):
        assert (names["value"].tzinfo, names["value"].fold) == (value.tzinfo, value.fold)
    python = {"__builtins__", "__warningregistry__"}  # the second where NumPy warns of a time without a unit
    assert names.keys() - python == {"datetime", "numpy", "value"}
    assert (names["datetime"], names["numpy"]) == ("the notebook's", "the notebook's")


def test_the_names_of_a_notebook_are_its_own_beside_dates_as_parameters(desk):
    path = write(
        desk, code("from datetime import datetime"), code("x = None", "parameters"), code("print(repr(x), datetime.__name__)")
    )
    job = submit(path, parameters={"x": dt.date(2025, 1, 1)}, output=desk.root / "out.ipynb")
    job.result(60)
    assert job.log() == "datetime.date(2025, 1, 1) datetime\n"
