"""Code of a notebook as jobs: cells by ``%%bgjob``, and classes and functions that are defined there, sent by value.

Most of it in one real kernel; what a kernel's frontend is sent later is listened for.
"""

import os
import queue
import sqlite3
import subprocess
import sys

import nbformat
import pytest

import ipybgjobs as bg
from ipybgjobs.commands import cell_code
from support.kernels import LIVE, Kernel
from support.magics import Notebook
from support.place import end, until

DEFINED = """
    x, number, secret = 5, 7, "hunter22"
    import threading, math
    import os.path as paths
    lock = threading.Lock()
    def double(value): return value * factor
    factor = 2
    class Point:
        def __init__(self, size: float = 1.0):
            self.size = size
        def grow(self, by: int, note: str = ""):
            print("growing")
            return [self.size * by * factor, note]
        def again(self, point):
            return point
        @staticmethod
        def fails():
            raise ValueError("no point")
        class Inner:
            def where(self): return "inside"
        def _hidden(self): ...
"""


class Cells(Notebook):
    """A notebook whose configuration allows its code."""

    def __init__(self, root):
        self.shown = {}  # by cell, then by display
        super().__init__(root)

    def allow(self):
        self.switch(on=True)

    def switch(self, *, on):
        settings = {"RetryPolicy__max_attempts": 1, "BackgroundJobs__allow_notebook_code": on}
        self.place.allow({"studio": ["describe"]}, **settings)

    def cell(self, code, options=""):
        """Run a cell as a job, and wait for it."""
        self.ok(f"%%bgjob --name tested {options} ;\n{code}")
        self.ok("job = bg.job('tested').wait(60)")
        return self.value("(str(job.state), job.error)")

    def outputs(self):
        """What the job of the last cell has shown, as pairs of kind and content."""
        return self.value("[(o.output_type, o.get('text') or dict(o.get('data', {})) or o.traceback) for o in job.outputs()]")

    def send(self, code):
        """Send a cell, and don't wait for it; return by what its messages are known."""
        return self.client.execute(code)

    def listen(self, enough):
        """Collect what a frontend would show, until there is enough: the displays of each cell, in order, as they look."""
        shown = self.shown

        def take():
            try:
                message = self.client.get_iopub_msg(timeout=0.2)
            except queue.Empty:
                return enough(shown)
            kind, content = message["header"]["msg_type"], message["content"]
            place = shown.setdefault(message["parent_header"].get("msg_id"), {})
            if kind == "stream":
                place[len(place)] = content["text"]
            elif kind == "display_data" and LIVE not in content["data"]:
                place[content["transient"].get("display_id", len(place))] = content["data"]
            elif kind == "update_display_data" and content["transient"]["display_id"] in place:
                place[content["transient"]["display_id"]] = content["data"]
            return enough(shown)

        until(take, "what is shown")
        return {cell: list(place.values()) for cell, place in shown.items()}


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    notebook = Cells(tmp_path_factory.mktemp("cells"))
    try:
        notebook.ok("import ipybgjobs as bg\n%load_ext ipybgjobs\n%bgjob studio.describe value=1")
        yield notebook
    finally:
        notebook.allow()
        notebook.close()
        end(notebook.place)


@pytest.fixture
def notebook(opened):
    opened.allow()
    opened.ok("\n".join(line.removeprefix("    ") for line in DEFINED.splitlines()))
    return opened


# -- what a cell does ----------------------------------------------------------------------------------------------------


def test_a_cell_runs_in_a_process_of_its_own_and_sets_nothing_here(notebook):
    assert notebook.cell("import os\nmine = os.getpid()\nprint(mine)") == ("succeeded", None)
    assert notebook.value("int(job.log()) != __import__('os').getpid()")
    assert notebook.value("'mine' in globals()") is False


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("1 + 1", [("execute_result", {"text/plain": "2"})]),
        ("1 + 1;", []),
        ("y = 1", []),
        ("'y' * 30_000", [("execute_result", {"text/plain": repr("y" * 30_000)})]),
        ("['y' * 30_000]", [("execute_result", {"text/plain": repr(["y" * 30_000])})]),
        ("print('a')\n'b'", [("stream", "a\n"), ("execute_result", {"text/plain": "'b'"})]),
        ("!echo from the shell", [("stream", "from the shell\n")]),
        ("%%bash\necho from bash", [("stream", "from bash\n")]),
        ("import asyncio\nawait asyncio.sleep(0, 'awaited')", [("execute_result", {"text/plain": "'awaited'"})]),
        ("display('shown')", [("display_data", {"text/plain": "'shown'"})]),
        ("x = 3\nfiles = !echo {x}\nfiles[0]", [("execute_result", {"text/plain": "'3'"})]),
        ("exit()\nprint('not this')", []),
        ("import sys\nsys.exit(0)", []),
    ],
)
def test_a_cell_shows_what_it_would_show_in_a_notebook(notebook, code, shown):
    assert notebook.cell(code) == ("succeeded", None)
    assert notebook.outputs() == shown


def test_a_figure_is_shown_and_a_table_as_it_looks(notebook):
    pytest.importorskip("matplotlib")
    code = "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\nfrom IPython.display import HTML\n"
    assert notebook.cell(f"{code}HTML('<b>1</b>')") == ("succeeded", None)
    bold, figure = notebook.outputs()
    assert bold[1]["text/html"] == "<b>1</b>"
    assert "image/png" in figure[1]


def test_a_traceback_shows_the_lines_of_the_cell_and_begins_there(notebook):
    assert notebook.cell("def f(n):\n    return 1 / n\n\nf(0)") == ("failed", "ZeroDivisionError: division by zero")
    trace = notebook.value("job.traceback")
    assert trace.splitlines()[0] == "Traceback (most recent call last):"
    assert trace.splitlines()[1].endswith(", line 4, in <module>")
    assert "    return 1 / n\n" in trace
    assert "ipybgjobs" not in trace
    assert "IPython" not in trace
    reply = notebook.run("job.result()")
    assert (reply.ename, "return 1 / n" in reply.traceback) == ("ZeroDivisionError", True)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("import sys\nsys.exit(3)", "SystemExit: sys.exit(3)"),
        ("%frob", "UsageError: Line magic function `%frob` not found."),
        ("input()", "EOFError: A background job has no keyboard"),
        ("class Own(Exception): ...\nraise Own('mine')", "Own: mine"),
        ("undefined", "NameError: name 'undefined' is not defined"),
    ],
)
def test_a_cell_that_raises_is_a_job_that_failed(notebook, code, error):
    state, said = notebook.cell(code)
    assert state == "failed"
    assert said.startswith(error)
    assert [kind for kind, _ in notebook.outputs()] == ["error"]


def test_a_cell_is_retried_like_any_job_and_says_how_far_it_is(notebook):
    code = "import ipybgjobs as bg\nbg.report(1, 2)\nnumber = bg.current_job().attempt\n"
    assert notebook.cell(f"{code}if number == 1: raise bg.Retry(after=0)\nnumber", "--retry 2") == ("succeeded", None)
    assert notebook.outputs() == [("execute_result", {"text/plain": "2"})]
    assert notebook.value("(len(job.attempts), job.progress.fraction)") == (2, 0.5)


@pytest.mark.parametrize("waits", ["time.sleep(300)", "try: time.sleep(300)\nexcept KeyboardInterrupt: pass"])
def test_a_cell_is_cancelled_like_any_job_whatever_it_makes_of_the_interrupt(notebook, waits):
    notebook.ok(f"%%bgjob --name long;\nimport time\nprint('on', flush=True)\n{waits}")
    notebook.ok("import time\nwhile not bg.job('long').log(): time.sleep(0.01)")
    assert notebook.value("str(bg.job('long').cancel().state)") == "cancelled"


def test_a_cell_s_job_is_saved_as_a_notebook(notebook, tmp_path):
    notebook.cell("print('kept')\n1 + 1")
    notebook.ok(f"job.save_notebook({str(tmp_path / 'cell.ipynb')!r})")
    saved = nbformat.read(tmp_path / "cell.ipynb", 4)
    assert [output.output_type for output in saved.cells[1].outputs] == ["stream", "execute_result"]


# -- names ---------------------------------------------------------------------------------------------------------------


def test_a_job_is_named_by_the_first_line_of_its_cell_and_by_its_own_name_if_it_has_one(notebook):
    notebook.ok("%%bgjob ;\n\n# train the net\nprint(1)")
    assert notebook.value("bg.jobs(limit=1)[0].name") == "train the net"
    number = notebook.value("len(In) - 1")
    notebook.ok("%%bgjob ;\nprint(1)")
    assert notebook.value("bg.jobs(limit=1)[0].name").startswith(f"cell [{number + 1}]")
    notebook.ok("%%bgjob --name other;\nprint(1)")
    assert notebook.value("bg.jobs(limit=1)[0].name") == "other"


@pytest.mark.parametrize(
    ("code", "title"),
    [
        ("x = 1  # a\ny = 2", "cell [3] of cells.ipynb"),
        ("\n  # a comment\nx", "a comment"),
        ("# %% draw\nx", "draw"),
        ("%%time\nx", "cell [3] of cells.ipynb"),
        ("# 12\nx", "cell [3] of cells.ipynb"),
        ("#", "cell [3] of cells.ipynb"),
        ("#" + "a" * 100, "a" * 30 + "…" + "a" * 29),
        ("# x\t= '\x1b'", "x\\t= '\\x1b'"),
    ],
)
def test_the_title_of_a_cell(code, title):
    found = cell_code.CellCode(code, frozenset(), frozenset(), certain=True)
    assert found.title(3, "/home/eva/cells.ipynb") == title


def test_a_cell_of_no_known_notebook_is_titled_by_its_number():
    assert cell_code.CellCode("x", frozenset(), frozenset(), certain=True).title(3, None) == "cell [3]"


# -- variables -----------------------------------------------------------------------------------------------------------


def test_variables_are_sent_by_value_and_come_back_between_two_cells(notebook):
    code = "x.append(2)\nz, w = double(len(x)), Point(3.0)"
    notebook.ok("x = [1]")
    notebook.ok(f"%%bgjob --in x,double --in Point --out z,w --name vars;\n{code}")
    assert notebook.ok("bg.job('vars').wait(60)\nprint(x, 'z' in globals())").stdout.startswith("[1] False\n")
    assert notebook.value("(x, z, type(w) is Point, w.size)") == ([1], 4, True, 3.0)
    assert notebook.value("sorted(bg.job('vars').result())") == ["w", "z"]
    notebook.ok("factor = 100\ngrown = w.grow(1)[0]")
    assert notebook.value("grown") == 300.0  # the class is the notebook's still, and sees its variables


def test_what_comes_back_of_one_job_is_one_whole(notebook):
    notebook.ok("%%bgjob --out a,b --name whole;\na = {1}\nb = [a]")
    said = notebook.ok("job = bg.job('whole').wait(60)").stdout
    assert said == f"a, b set by job {notebook.value('job.id')}\n"
    assert notebook.value("b[0] is a") is True


def test_what_can_not_come_back_keeps_nothing_else_away(notebook):
    notebook.ok("%%bgjob --out model,rows --name apart;\nmodel = {1: 2}\nrows = (i for i in range(3))")
    said = notebook.ok("job = bg.job('apart').wait(60)").stdout
    number = notebook.value("job.id")
    lost = "rows was not set: rows (generator) could not be saved: TypeError: cannot pickle 'generator' object"
    assert said == f"model set by job {number}; {lost}\n"
    assert notebook.value("model") == {1: 2}
    assert notebook.value("'rows' in globals()") is False


def test_an_object_with_slots_comes_back(notebook):
    notebook.ok("class Slots:\n    __slots__ = ('a',)\n    def __init__(self, a: int): self.a = a\n    def me(self): return self")
    notebook.ok("job = bg.submit('__main__.Slots.me', init={'a': 3})")
    assert notebook.value("(job.result(60).a, type(job.result()) is Slots, hasattr(job.result(), '__dict__'))") == (
        3,
        True,
        False,
    )


def test_a_function_of_the_notebook_displays_without_an_import(notebook):
    notebook.ok("def shows(): display({'text/html': '<b>1</b>'}, raw=True)")
    notebook.ok("job = bg.submit('__main__.shows').wait(60)")
    assert ("display_data", {"text/html": "<b>1</b>"}) in notebook.outputs()


def test_a_widget_of_a_job_is_shown_as_its_text(notebook):
    code = "display({'application/vnd.jupyter.widget-view+json': {'model_id': 'gone'}, 'text/plain': 'Slider'}, raw=True)"
    assert notebook.cell(code) == ("succeeded", None)
    assert notebook.outputs() == [("display_data", {"text/plain": "Slider"})]


def test_outputs_below_a_cell_wait_for_no_import_of_nbformat(place):
    code = "import sys, ipybgjobs as bg, ipybgjobs.commands.live_outputs\njob = bg.submit('work.echo', {'value': 1}).wait(60)\n"
    code += "ipybgjobs.commands.live_outputs.LiveDisplay(job, None)\njob.plain_outputs()\nassert 'nbformat' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=place.code, env=place.environment)


def test_a_cell_that_fails_sets_nothing_and_says_so(notebook):
    notebook.ok("a = 'old'")
    notebook.ok("%%bgjob --out a,b --name failed;\na = b = 1\n1 / 0")
    said = notebook.ok("bg.job('failed').wait(60)\n0;").stdout
    assert "a, b were not set: job " in said
    assert "failed: ZeroDivisionError" in said
    assert notebook.value("a") == "old"


def test_a_name_that_the_cell_has_not_set_after_all_fails_the_job(notebook):
    assert notebook.cell("if not []:\n    pass\nelse:\n    q = 1", "--out q") == (
        "failed",
        "NameError: --out asks for q, which the cell did not set.",
    )


def test_a_secret_variable_is_shown_nowhere(notebook):
    notebook.ok("api_key = 'hunter22'")
    notebook.cell("print(api_key)", "--in api_key")
    assert "hunter22" not in notebook.ok("print(repr(job), job._repr_html_(), [dict(o) for o in job.outputs()])").stdout


@pytest.mark.parametrize(
    ("reads", "code"),
    [
        ("a", "print(a)"),
        ("a", "a = a + 1"),
        ("a", "a += 1"),
        ("a", "def f():\n    return a"),
        ("a", "class C:\n    b = a\n    def f(self): return self.b"),
        ("a", "[a for _ in range(3)]"),
        ("a", "await a"),
        ("a", "%%time\nprint(a)"),
        ("", "a = 1\nprint(a)"),
        ("", "import a\na"),
        ("", "for a in range(3):\n    print(a)"),
        ("", "[a for a in range(3)]"),
        ("", "def f(a):\n    return a\ndef g():\n    return f\nf(1)"),
        ("", "def f():\n    return a\na = 1\nf()"),
        ("", "class C:\n    a = 1\n    b = a"),
        ("", "def f():\n    global a\n    a = 1\nf()\na"),
        ("", "with open('x') as a:\n    a"),
        ("", "try:\n    import a\nexcept ImportError as a:\n    a"),
        ("", "from a import *\na"),
        ("", "'a'"),
        ("", "x.a"),
        ("", "f(a=1)"),
        ("", "!ls a"),
    ],
)
def test_what_a_cell_reads_of_the_notebook(reads, code):
    found = cell_code.read(code)
    left = {"a"} & found.reads if found.certain else set()
    assert left == set(reads)


# -- what is refused -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("", "print(number)", "The cell uses number from the notebook, which is not sent to the job: add --in number."),
        ("", "print(x, number)", "The cell uses number, x from the notebook, which are not sent to the job: add --in number,x."),
        ("--in x", "print(x, number)", "The cell uses number from the notebook"),
        ("", "math.pi", "begin the cell with `import math`."),
        ("", "paths.sep", "begin the cell with `import posixpath as paths`"),
        ("", "math.pi + number", "begin the cell with `import math` and add --in number."),
        ("--in missing", "missing", "--in missing: this notebook has no variable missing."),
        ("--in 1x", "1", "'1x' is not a valid variable name"),
        ("--in x,lock", "lock", "variables is a dict whose 'lock' is a lock, which can't be sent to another process"),
        ("--out z", "y = 1", "--out z: the cell does not set z."),
        ("--out if", "y = 1", "'if' is not a valid variable name"),
        ("--in", "y = 1", "expected one argument"),
        ("studio.describe", "1", "takes no target: unexpected argument studio.describe"),
        ("--in x, number", "1", "write several names as --in x,y"),
        ("value=1", "1", "takes no target: unexpected argument value=1"),
        ("--here", "1", "unrecognized arguments: --here"),
        ("--frob", "1", "--frob"),
        ("--queue gpu", "1", "There is no queue 'gpu'"),
        ("--name 'x", "1", "' is not closed in"),
        ("", "# nothing", "The %%bgjob cell is empty"),
        ("", "y = 1\nz = (", "The cell is not valid Python: '(' was never closed on line 2 of the code: z = ("),
        ("", "return 1", "'return' outside function on line 1 of the code"),
        ("", "y = '\0'", "The cell is not valid Python"),
    ],
)
def test_a_wrong_cell_costs_one_line(notebook, line, code, said):
    assert said in notebook.refuses(f"%%bgjob {line}\n{code}")


def test_a_cell_without_code_is_refused(notebook):
    assert "cell body is empty" in notebook.refuses("%%bgjob")


def test_a_job_of_a_cell_is_not_run_here_by_its_handle(notebook):
    notebook.cell("1")
    assert "put it in a cell without %%bgjob" in notebook.run("job.run_here()").evalue


# -- what it shows -------------------------------------------------------------------------------------------------------


def test_outputs_come_below_their_own_cell_while_another_one_runs(notebook):
    first = notebook.send(
        "%%bgjob --name live\nimport os, time\nprint('one', flush=True)\nwhile not os.path.exists('go'): time.sleep(0.01)\n"
        "print('two')\ndisplay({'text/html': '<b>2</b>'}, raw=True)"
    )
    notebook.listen(lambda shown: {"text/plain": "one"} in shown.get(first, {}).values())
    other = notebook.send(
        "import time\nprint('begun')\nopen('go', 'w').close()\nbg.job('live').wait(60)\ntime.sleep(1)\nprint('over')"
    )
    shown = notebook.listen(
        lambda shown: "over\n" in "".join(map(str, shown.get(other, {}).values())) and len(shown.get(first, {})) > 1
    )
    assert "".join(map(str, shown[other])) == "begun\nover\n"
    assert shown[first][-1] == {"text/html": "<b>2</b>"}
    os.unlink(notebook.place.code / "go")


def test_the_card_comes_first_and_then_text_displays_and_the_last_expression(notebook):
    cell = notebook.send("%%bgjob\nprint('text')\ndisplay({'text/html': '<b>1</b>'}, raw=True)\n'last'")
    card, *rest = notebook.listen(lambda shown: len(shown.get(cell, {})) == 4)[cell]
    assert "<b>job " in card["text/html"]
    assert rest == [{"text/plain": "text"}, {"text/html": "<b>1</b>"}, {"text/plain": "'last'"}]


@pytest.mark.parametrize("code", ["%bgjob --name soon studio.describe value=1", "%%bgjob --name soon\n1"])
def test_the_card_that_a_saved_notebook_keeps_says_how_a_short_job_ended(notebook, code):
    notebook.ok("from ipybgjobs.panel import static\nstatic._REFRESH = 1e6")  # what changes otherwise waits
    cell = notebook.send(code)
    notebook.listen(lambda shown: any("● succeeded" in data["text/html"] for data in cards(shown, cell)))
    [card] = cards(notebook.shown, cell)
    assert "succeeded" in card["text/plain"]


def cards(shown, cell):
    """The static cards below a cell."""
    return [data for data in shown.get(cell, {}).values() if "data-bgjobs" in data.get("text/html", "")]


def test_an_error_and_a_sudden_end_are_shown_below_the_cell(notebook):
    cell = notebook.send("%%bgjob\n1 / 0")
    [_, trace] = notebook.listen(lambda shown: len(shown.get(cell, {})) == 2)[cell]
    assert trace["text/plain"].endswith("ZeroDivisionError: division by zero")
    cell = notebook.send("%%bgjob\nimport os\nos.kill(os.getpid(), 9)")
    [_, end] = notebook.listen(lambda shown: len(shown.get(cell, {})) == 2)[cell]
    assert "signal 9 (SIGKILL)" in end["text/plain"]


def test_what_is_cleared_goes_and_the_thread_ends_with_the_job(notebook):
    cell = notebook.send(
        "%%bgjob\nfrom IPython.display import clear_output\nprint('a')\ndisplay('b')\nclear_output()\nprint('c')"
    )
    notebook.listen(lambda shown: {"text/plain": "c"} in shown.get(cell, {}).values())
    alive = "[each.name for each in __import__('threading').enumerate() if each.name.startswith('ipybgjobs-display')]"
    until(lambda: notebook.value(alive) == [], "the end of the threads")


def test_of_a_long_text_the_last_lines_are_shown_whole(notebook):
    cell = notebook.send("%%bgjob\nfor number in range(9000): print('line', number)")
    ends = "line 8999"
    texts = notebook.listen(lambda shown: any(ends in data.get("text/plain", "") for data in shown.get(cell, {}).values()))[cell]
    note, first, *_ = next(data["text/plain"] for data in texts if ends in data["text/plain"]).splitlines()
    assert note == "… (job.log() shows all of it)"
    assert first.startswith("line ")


def test_a_semicolon_keeps_card_and_outputs_away(notebook):
    notebook.shows_nothing("%%bgjob --name quiet;\nprint('x')")
    notebook.shows_nothing("job = bg.job('quiet').wait(60)")


def test_options_are_completed(notebook):
    assert "%%bgjob --out" in notebook.complete("%%bgjob --ou")
    assert "%%bgjob --here" not in notebook.complete("%%bgjob --he")
    assert "%%bgjob studio.describe" not in notebook.complete("%%bgjob studio.")


def test_a_cell_is_explained(notebook):
    before = notebook.jobs()
    said = notebook.ok("%%bgjob --explain --in x\nprint(x)").stdout
    assert said.startswith("ipybgjobs.Cell.run would run\n")
    assert f"allow_notebook_code in {notebook.place.config_file}" in said
    assert "variables=" in said
    said = notebook.ok("%bgjob --explain Point.grow by=2").stdout
    assert "__main__.Point.grow, sent by value" in said
    assert notebook.ok("%bgjob --explain Point.grow by=much").stdout.startswith("__main__.Point.grow would be refused: ")
    notebook.switch(on=False)
    said = notebook.ok("%%bgjob --explain\n1").stdout
    assert said.startswith("ipybgjobs.Cell.run would be refused: The code of a cell can't run as a job.")
    assert notebook.jobs() == before


# -- classes and functions of the notebook -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "target", "result"),
    [
        ("%bgjob Point(size=2).grow by=3 note=1.10", "__main__.Point.grow", [12.0, "1.10"]),
        ("%bgjob double value=4", "__main__.double", 8),
        ("%bgjob Point.Inner.where", "__main__.Point.Inner.where", "inside"),
        ("bg.run_background_job(Point, 'grow', {'by': '3'})", "__main__.Point.grow", [6.0, ""]),
        ("bg.run_background_job(double, None, {'value': 4})", "__main__.double", 8),
        ("bg.submit('__main__.Point.grow', {'by': 1})", "__main__.Point.grow", [2.0, ""]),
    ],
)
def test_a_class_or_function_of_the_notebook_is_sent_by_value(notebook, line, target, result):
    notebook.ok(f"job = {line}" if line.startswith(("%", "bg")) else line)
    assert notebook.value("job.result(60)") == result
    assert notebook.value("job.target") == target


def test_a_hook_of_a_class_of_the_notebook_is_called(notebook):
    notebook.ok(
        "class Told:\n    def run(self):\n        return factor\n"
        "    def on_success(self, result):\n        print('told', result * factor, flush=True)\n"
        "job = bg.run_background_job(Told, 'run').wait(60)\nimport time\nwhile not job.log(): time.sleep(0.01)"
    )
    assert notebook.value("job.log()") == "told 4\n"


def test_many_jobs_of_a_class_of_the_notebook_share_its_code(notebook):
    notebook.ok("group = bg.submit_many('__main__.Point.grow', bg.grid(by=[1, 2, 3]), init={'size': 2})")
    assert notebook.value("group.results(60)") == [[4.0, ""], [8.0, ""], [12.0, ""]]


def test_what_a_class_was_at_submit_is_what_runs_and_is_tried_again(notebook):
    notebook.ok(
        "class Changing:\n    def value(self, fail=True):\n        if fail: raise ValueError('old')\n        return 'old'"
    )
    notebook.ok("job = bg.run_background_job(Changing, 'value', {}).wait(60)")
    notebook.ok("Old = Changing\nclass Changing:\n    def value(self, fail=True):\n        return 'new'")
    assert notebook.value("str(job.retry().wait(60).error)") == "ValueError: old"
    assert notebook.value("len(job.attempts)") == 2
    assert notebook.value("job.retry({'fail': False}).result(60)") == "old"
    assert notebook.value("bg.run_background_job(Changing, 'value', {}).result(60)") == "new"
    assert notebook.run("bg.run_background_job(Old, 'value', {})").evalue == (
        "Changing has since been redefined or deleted in this notebook: pass the current one."
    )


def test_looking_at_a_job_leaves_the_class_of_the_notebook_alone(notebook):
    notebook.ok("before = Point.grow\njob = bg.run_background_job(Point, 'again', {'point': Point()})")
    assert notebook.value("isinstance(job.result(60), Point) and isinstance(job.params['point'], Point)") is True
    assert notebook.value("Point.grow is before") is True


def test_a_job_of_a_class_of_the_notebook_runs_here_too(notebook):
    assert notebook.ok("%bgjob --here Point.grow by=2").displays == [{"text/plain": "[4.0, '']"}]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Point.grow by=much", "by='much' does not fit int"),
        ("Point.grow", "grow() is missing the required parameter by"),
        ("Point.grow by=1 sizes=2", "Point.grow() has no parameter sizes; it takes by, note, and its constructor takes size"),
        ("Point.missing", "Point has no method missing"),
        ("Point.grow by=1 --reuse", "reuse compares source files, but Point.grow is defined in the notebook: move it to"),
        ("Point._hidden", "_hidden is a private name"),
        ("__main__.Missing.fit", "Missing does not exist: the notebook has no Missing"),
        ("Holder.run", "Holder can't be sent to another process"),
    ],
)
def test_a_wrong_call_of_a_class_of_the_notebook_costs_one_line(notebook, line, said):
    notebook.ok("class Holder:\n    lock = lock\n    def run(self): ...")
    assert said in notebook.refuses(f"%bgjob {line}")


def test_another_kernel_retries_a_job_of_a_class_that_it_does_not_have(notebook):
    notebook.ok("job = bg.run_background_job(Point, 'fails').wait(60)")
    other = Kernel(notebook.value("dict(__import__('os').environ)"), notebook.place.code)
    try:
        other.ok(f"import ipybgjobs as bg\njob = bg.job({notebook.value('job.id')})")
        assert other.value("str(job.retry().wait(60).error)") == "ValueError: no point"
        assert "the notebook has no Point" in other.run("job.run_here()").evalue
    finally:
        other.close()


# -- the switch ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "begins"),
    [
        ("%%bgjob\nprint(number)", "The code of a cell can't run as a job. To allow it: put "),
        ("%bgjob Point.grow by=2", "Point.grow is defined in the notebook, where a separate process can't import it: "),
        ("%bgjob double value=2", "double is defined in the notebook"),
    ],
)
def test_without_the_switch_nothing_of_the_notebook_runs_and_the_refusal_says_how_it_would(notebook, code, begins):
    notebook.switch(on=False)
    refusal = notebook.refuses(code)
    assert refusal.startswith(begins)
    file = notebook.place.root / "JUPYTER_CONFIG_DIR" / "ipybgjobs_config.py"
    assert f"put c.BackgroundJobs.allow_notebook_code = True in {file}." in refusal


def test_the_notebook_can_only_switch_it_off(notebook):
    restore = "get_ipython().config.pop('BackgroundJobs', None)\n%reload_ext ipybgjobs"
    notebook.switch(on=False)
    notebook.ok("%config BackgroundJobs.allow_notebook_code = True")
    assert "can't run as a job" in notebook.refuses("%%bgjob\n1")
    notebook.ok(restore)
    notebook.switch(on=True)
    try:
        notebook.ok("%config BackgroundJobs.allow_notebook_code = False")
        for code in ("%%bgjob\n1", "%bgjob double value=1"):
            assert "%config BackgroundJobs.allow_notebook_code = False in this notebook turns it off" in notebook.refuses(code)
    finally:
        notebook.ok(restore)
    notebook.ok("%%bgjob ;\n1")


@pytest.mark.parametrize(
    "code", ["%%bgjob --delay 1h --name struck;\nprint(1)", "%bgjob --delay 1h --name struck double value=1;"]
)
def test_what_waits_when_it_is_switched_off_is_denied_at_launch(notebook, code):
    notebook.ok(code)
    notebook.switch(on=False)
    with sqlite3.connect(notebook.place.state / "jobs.db", timeout=60) as connection:
        connection.execute("UPDATE jobs SET not_before = 0 WHERE name = 'struck'")
    connection.close()
    notebook.ok("job = bg.job('struck')\njob.set_priority(1)")  # which wakes the supervisor
    assert notebook.value("job.wait(60).error").endswith("it is not on the allowlist (any more); nothing was started")
    assert notebook.value("[str(each.outcome) for each in job.attempts]") == ["denied"]


def test_a_row_that_no_client_wrote_runs_no_code_of_a_notebook_without_the_switch(place):
    assert bg.submit("work.echo", {"value": 1}).result(60) == 1
    job = bg.submit("work.echo", {"value": 1}, delay="1h")
    with sqlite3.connect(place.state / "jobs.db", timeout=60) as connection:
        connection.execute(
            """UPDATE jobs SET target = 'ipybgjobs.Cell.run', params = '{"code": "open(\\"ran\\", \\"w\\")"}', not_before = 0
            WHERE id = ?""",
            (job.id,),
        )
    connection.close()
    bg.submit("work.echo", {"value": 2}).result(60)
    assert job.wait(60).attempts[0].outcome == "denied"
    assert not list(place.code.glob("ran"))


def test_a_script_may_send_its_own_functions_too(place):
    place.allow({}, BackgroundJobs__allow_notebook_code=True)
    script = place.root / "script.py"
    script.write_text(
        "import ipybgjobs as bg\ndef helper(n): return n + 1\ndef task(n: int): return helper(n)\n"
        "if __name__ == '__main__':\n    print(bg.run_background_job(task, None, {'n': '1'}).result(60))\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, cwd=place.code)
    assert done.stdout == "2\n", done.stderr
