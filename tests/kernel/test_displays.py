"""Shown as a kernel shows it: small cells in a real kernel, in a notebook's job and in a job's own shell; each difference is listed.

The kernel's outputs, as nbclient keeps them, are what is right.
"""

# ruff: noqa: E501 - cells and tables are read by the row

import json
import re
import sys

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import v4

import ipybgjobs as bg
from support.place import DEADLINE

pytestmark = pytest.mark.timeout(400)

IMPORTS = """
import asyncio, collections, dataclasses, datetime, decimal, enum, fractions, logging, math, os, pathlib, sys, threading, types, warnings
import numpy as np, pandas as pd
from IPython.display import *
from IPython.display import clear_output, update_display, publish_display_data
import matplotlib.pyplot as plt
"""

#: Cells whose text reaches descriptor 1 past Python: a thread of the kernel's reads it, and loses what comes after the cell's end.
LATE = ("import subprocess; _ = subprocess.run(['echo', 'child'])", "_ = os.write(1, b'descriptor\\n')")

PRINTS = [
    "print('one')", "print('one', end='')", "print('a\\nb\\n\\nc')", "print('ä €  𝄞 \\u200b')", "print(*range(5), sep=', ')",
    "print('out'); print('err', file=sys.stderr)", "print('err', file=sys.stderr)", "sys.stdout.write('raw') and None",
    "print('x' * 5000)", "print('\\x1b[31mred\\x1b[0m')", "print('tab\\there')", "print('')", "print('a', flush=True); print('b')",
    "for i in range(200): print(i)", *LATE, "!echo shell", "!echo two; echo three", "x = !echo list\nx", "print('before'); 1 + 1",
    "logging.warning('told')", "sys.stderr.write('e') and None", "t = threading.Thread(target=print, args=('in a thread',)); t.start(); t.join()",
    "await asyncio.sleep(0.01); print('awaited')", "print('\\udcff'.encode('utf-8', 'backslashreplace').decode())", "print({}, [], ())",
    "import pprint; pprint.pprint({'a' * 30: 'b' * 30, 'c' * 30: 'd' * 30})", "help(type(None).__bool__)",
    "sys.stdout.writelines(['a\\n', 'b\\n'])", "print(sys.stdout.encoding.lower().replace('-', ''))",
]  # fmt: skip

VALUES = [
    "1", "-1.5", "10 ** 50", "1e300", "float('nan')", "float('inf')", "1j", "True", "None", "...", "NotImplemented", "'text'", "'it\\'s'",
    "'a\\nb'", "'x' * 3000", "b'bytes'", "bytearray(b'x')", "[]", "[1, 2, 3]", "list(range(2000))", "['a' * 40] * 5", "(1,)", "{}",
    "{'a': 1, 'b': [1, 2]}", "{str(i): i for i in range(300)}", "{1, 2, 3}", "frozenset()", "set()", "range(5)", "slice(1, 2)",
    "len", "print", "int", "type", "Exception('x')", "KeyError('k')", "math", "dict.items", "collections.OrderedDict(a=1)",
    "collections.defaultdict(int, a=1)", "collections.Counter('abca')", "collections.deque([1, 2])",
    "collections.namedtuple('P', 'x y')(1, 2)", "types.SimpleNamespace(a=1)", "decimal.Decimal('1.10')", "fractions.Fraction(1, 3)",
    "datetime.date(2025, 1, 1)", "datetime.timedelta(1)", "pathlib.PurePosixPath('/a')", "enum.Enum('E', 'A B').A",
    "@dataclasses.dataclass\nclass D:\n    a: int = 1\nD()", "class C:\n    def __repr__(self): return 'C!'\nC()",
    "class L:\n    def __repr__(self): return 'a\\nb'\n[L(), L()]", "np.arange(5)", "np.zeros((100, 100))", "np.float64(1.5)", "np.int8(3)",
    "np.datetime64('2025-01-01')", "np.array(['a', 'b'])", "pd.DataFrame({'a': [1, 2]})", "pd.DataFrame({'a': range(500)})",
    "pd.Series([1, 2], name='s')", "pd.DataFrame()", "pd.Timestamp('2025-01-01')", "pd.Index([1, 2])",
    "pd.DataFrame({'a': ['<b>', None]})", "1;", "x = 5", "1; 2", "1\n2", "if True: 3", "_ = 7", "lambda: 0 if False else 1;",
    "print", "(i for i in ()).__class__", "dict(a=lambda: 1).keys()", "[None]", "[[1] * 30] * 30", "'\\x1b[31mred'", "'\\udcff'",
    "np.ma.masked_array([1, 2], [0, 1])", "os.environ.__class__", "{'b': 1, 'a': 2}", "{(1, 2): 3}", "[float('nan')]", "memoryview(b'ab').tolist()",
]  # fmt: skip

OBJECTS = [
    "HTML('<b>x</b>')", "Markdown('**x**')", "Latex('$x$')", "Math('x')", "SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>')",
    "JSON({'a': [1]})", "JSON({'a': 1}, expanded=True, root='r')", "Javascript('1')", "GeoJSON({'type': 'Point', 'coordinates': [1, 2]})",
    "Image(data=b'\\x89PNG\\r\\n\\x1a\\n0000', format='png')", "Image(url='http://x/y.png')", "Image(url='http://x/y.png', width=5)",
    "Image(data=b'\\xff\\xd8\\xff0', format='jpeg', width=3)", "Image(data=b'GIF89a', format='gif')", "IFrame('http://x', 10, 20)",
    "YouTubeVideo('abc')", "Video('http://x/y.mp4')", "Audio(url='http://x/y.wav')", "Audio([0, 1, 0], rate=8000)", "Pretty('p')",
    "Code('x = 1', language='python')", "TextDisplayObject(data='x')", "DisplayHandle('fixed')", "display()", "display(1, 'a', [2])",
    "display('x', metadata={'text/plain': {'a': 1}})", "display(HTML('<i>'), include=['text/plain'])",
    "display(HTML('<i>'), exclude=['text/plain'])", "display({'text/plain': 'p', 'text/html': 'h'}, raw=True)",
    "display({'application/json': {'a': 1}}, raw=True, metadata={'application/json': {'expanded': True}})",
    "display({'application/x-own+json': [1, None, True]}, raw=True)", "display({'application/x-own': 'text'}, raw=True)",
    "display({'image/png': 'QUJD'}, raw=True)", "display({'text/latex': '$x$', 'text/plain': ''}, raw=True)", "display({}, raw=True)",
    "publish_display_data({'text/plain': 'published'})", "display(display_id=True) and None", "h = display('a', display_id='i1'); h.update('b')",
    "h = display('a', display_id='i2'); h.display('c'); h.update('b')", "update_display('x', display_id='i2')",
    "update_display('x', display_id='nobody')", "display('a', display_id='i3'); display('b', display_id='i3')",
    "display('a'); clear_output()", "display('a'); clear_output(wait=True)", "display('a'); clear_output(wait=True); display('b')",
    "print('a'); clear_output(); print('b')", "print('a'); clear_output(wait=True); 5", "display('a'); clear_output(wait=True); 'value'",
    "for i in range(4):\n    clear_output(wait=True); display(i)", "print('a'); display('b'); print('c')", "print('a'); display('b'); 'c'",
    "display(HTML('<b>')); HTML('<i>')", "display(pd.DataFrame({'a': [1]}))", "display(None)", "display(1.5, [1.5])", "display(print)",
]  # fmt: skip

CLASS = "class R:\n    def __repr__(self): return 'R'\n    def {}: {}\n{}"
LOOKS = [
    CLASS.format(f"_repr_{kind}_(self)", body, last)
    for kind, body in [
        ("html", "return '<b>'"), ("html", "return None"), ("html", "return ('<b>', {'a': 1})"), ("html", "raise NotImplementedError"),
        ("markdown", "return '**'"), ("svg", "return '<svg/>'"), ("latex", "return '$'"), ("json", "return {'a': 1}"),
        ("png", "return b'\\x89PNG'"), ("jpeg", "return b'\\xff\\xd8'"), ("pdf", "return b'%PDF'"), ("javascript", "return '1'"),
        ("mimebundle", "return {'text/html': 'm', 'text/plain': 'p'}"), ("mimebundle", "return ({'text/html': 'm'}, {'text/html': {'a': 1}})"),
        ("pretty", "return 1"),
    ]
    for last in ("R()", "display(R())")
] + [
    CLASS.format("_ipython_display_(self)", "display('itself')", "R()"), CLASS.format("_ipython_display_(self)", "print('itself')", "display(R())"),
    CLASS.format("_repr_mimebundle_(self, include=None, exclude=None)", "return {'text/plain': 'p', 'a/b': 'c'}", "R()"),
    CLASS.format("_repr_mimebundle_(self, **_)", "return {'text/html': 'h'}", "display(R())"),
    CLASS.format("_repr_pretty_(self, p, cycle)", "p.text('pretty')", "R()"), CLASS.format("_repr_html_(self)", "return 5", "R()"),
    CLASS.format("_repr_html_(self)", "return '<b>'", "[R()]"), CLASS.format("_repr_html_(self)", "return '<b>'", "R"),
]  # fmt: skip

ODD_JSON = [
    f"display({{'application/json': {value}}}, raw=True)"
    for value in ("{'a': np.int64(1)}", "{'a': np.float32(0.5)}", "[datetime.datetime(2025, 1, 1)]", "{'a': datetime.date(2025, 1, 1)}",
                  "{'a': b'bytes'}", "{'a': float('nan')}", "{'a': [float('inf')]}", "{1: 2}", "{'a': (1, 2)}", "{'a': {3}}",
                  "{'a': np.arange(3)}", "{'a': None}", "{'a': range(2)}", "'text'", "{'ä': '€'}")
]  # fmt: skip

FIGURES = [
    "_ = plt.plot([1, 2])", "_ = plt.plot([1, 2]); plt.show()", "plt.plot([1, 2]); plt.show(); print('after')", "fig, ax = plt.subplots()",
    "fig", "fig;", "display(fig)", "plt.figure(); plt.figure(); None", "plt.plot([1]); plt.close()", "plt.show()",
    "plt.figure(figsize=(1, 1)).patch.set_alpha(0); _ = plt.plot([1])", "%matplotlib inline\n_ = plt.plot([3])",
    "plt.title('t');", "plt.bar([1], [2]).__class__.__name__", "plt.ioff(); _ = plt.plot([1])", "plt.ion(); _ = plt.plot([1])",
    "%config InlineBackend.figure_formats = ['svg']\n_ = plt.figure(figsize=(1, 1))", "%config InlineBackend.figure_formats = ['png']",
    "plt.get_backend()", "import matplotlib; matplotlib.rcParams['figure.dpi']", "plt.plot([1]); 1 / 0",
]  # fmt: skip

MAGICS = [
    "%pwd\nNone", "%%capture c\nprint('hidden'); 5", "c.stdout", "%%html\n<b>x</b>", "%%markdown\n**x**", "%%latex\n$x$", "%%svg\n<svg/>",
    "%%javascript\n1", "%%bash\necho bash", "%%sh\necho err >&2", "%precision 2", "math.pi", "%precision %r", "%%writefile w.py\nprint('ran')\n5",
    "%run w.py", "%env BGX=1", "%env BGX", "!echo $BGX", "%alias say echo %s", "say hello", "%pprint", "[1, 2]", "%pprint", "%reset_selective -f zzz",
    "%%python\nprint('child')", "%cat w.py", "%set_env BGY 2", "%xmode Plain", "%xmode Context", "%dirs", "%macro -q m 1", "%unalias say",
    "get_ipython().run_line_magic('pwd', '') and None", "%time 1", "%config InlineBackend.close_figures", "%automagic", "%who_ls zzz",
    "%conda_is_no_magic", "get_ipython().ast_node_interactivity = 'all'", "1\n2\nprint('three')",
    "get_ipython().ast_node_interactivity = 'last_expr'", "1\n2", "_", "Out.__class__", "display", "get_ipython().__class__.__mro__[-1]",
]  # fmt: skip

#: With few frames: a kernel takes ten seconds to show a thousand.
RECURSION = """
def f(): f()
import inspect; before = sys.getrecursionlimit(); sys.setrecursionlimit(len(inspect.stack(0)) + 60)
try: f()
finally: sys.setrecursionlimit(before)
"""

ERRORS = [
    "1 / 0", "raise ValueError('no')", "undefined_name", "raise KeyError('k') from OSError('o')", "class E(Exception): pass\nraise E",
    "class B:\n    def __repr__(self): raise ValueError('in repr')\nB()", "raise Exception", "raise ExceptionGroup('g', [ValueError('a')])",
    "exec('x = (')", "import no_such_module", "int('x')", "[][0]", "assert False, 'why'", "print('a'); display('b'); 1 / 0",
    RECURSION, "raise ValueError('a\\nb')", "open('/no/such')", "x = (", "return 5", "break", "await 5", "%time 1 / 0", "!exit 3",
    "raise KeyboardInterrupt", "warnings.warn('careful')", "get_ipython().showtraceback((ValueError, ValueError('shown'), None))",
    "{}['a']", "None.x", "input('name')", "len()", "async def g(): raise OSError('later')\nawait g()",
]  # fmt: skip

CELLS = PRINTS + VALUES + OBJECTS + LOOKS + ODD_JSON + FIGURES + MAGICS + ERRORS

#: Seconds that a job may take for all of them; a notebook's waits for its kernel after each.
LONG = 3 * DEADLINE

#: What differs in a job of functions or cells, and why; nothing differs in a notebook's job.
PTY = "a kernel's `!` runs below a terminal of its own, whose lines end in \\r\\n; a job's writes to the log itself"
DIFFERENT = {
    "!echo shell": PTY,
    "!echo two; echo three": PTY,
    "!echo $BGX": PTY,
    "say hello": PTY,
    "%cat w.py": PTY,
    "display({'application/json': {'a': float('nan')}}, raw=True)": "a kernel warns besides that its messages can't hold nan",
    "plt.plot([1]); 1 / 0": "a job's own error comes last, after figures that are open still",
    "%conda_is_no_magic": "a wrong magic is the job's error, where a kernel prints a line",
    "raise ExceptionGroup('g', [ValueError('a')])": "a kernel prints its own frames and shows no error; a job shows the error",
    "input('name')": "a job asks on no channel, and says what to do instead",
}
if sys.version_info >= (3, 12):  # whose json names the number, so a kernel's warning is another one than before
    DIFFERENT["display({'application/json': {'a': [float('inf')]}}, raw=True)"] = "likewise inf"


def brief(outputs):
    """Outputs without what has no meaning: whose stream a text is, addresses, counts; of an error name and message."""
    found = []
    for output in outputs:
        if output["output_type"] == "error":
            found.append(("error", output["ename"], plain(output["evalue"])))
        elif output["output_type"] == "stream":
            before = found.pop()[1] if found and found[-1][0] == "stream" else ""
            found.append(("stream", plain(before + output["text"])))
        else:
            data = {kind: plain(value) for kind, value in output["data"].items()}
            found.append((output["output_type"], data, output["metadata"]))
    return found


def plain(value):
    """A value without addresses and names of files that differ with each run."""
    text = json.dumps(value, sort_keys=True, default=str, ensure_ascii=False)
    text = re.sub(r"0x[0-9a-f]+", "0x", text)
    text = re.sub(r"/\S*ipykernel_\d+/\d+\.py|<cell \d+>|\b\d+\.py(?=, line)", "CELL", text)
    text = re.sub(r"[\d.e+]+ (ns|μs|us|ms|s)\b", "TIME", text)
    text = re.sub(r"<svg .*?</svg>", "SVG", text)  # it holds the date, and random names
    return json.loads(text)


def kernel(folder):
    cells = [f"{cell}\nimport time; time.sleep(1)" if cell in LATE else cell for cell in CELLS]
    notebook = v4.new_notebook(cells=[v4.new_code_cell(IMPORTS), *map(v4.new_code_cell, cells)])
    NotebookClient(notebook, allow_errors=True, resources={"metadata": {"path": str(folder)}}).execute()
    return [brief(cell.outputs) for cell in notebook.cells[1:]]


@pytest.fixture(scope="module")
def right(tmp_path_factory):
    """What a real kernel shows for each cell."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTEST_CURRENT_TEST", raising=False)  # by which ipykernel would leave descriptors 1 and 2 alone
        return kernel(tmp_path_factory.mktemp("kernel"))


def different(found, right):
    return {cell: (one, other) for cell, one, other in zip(CELLS, found, right, strict=True) if one != other}


def test_a_job_shows_what_a_kernel_shows_but_for_the_listed_differences(place, right, monkeypatch):
    monkeypatch.chdir(place.code)
    place.module("cells")
    place.allow({"cells": ["run"]})
    (place.root / "cells.json").write_text(json.dumps([IMPORTS, *CELLS]))
    job = bg.submit("cells.run", {"path": str(place.root / "cells.json")}).wait(LONG)
    assert job.state == "succeeded", job.error
    shown, found = [], []
    for output in job.outputs():
        if "text/x-end" in output.get("data", {}):
            found.append(brief(shown))
            shown = []
        else:
            shown.append(output)
    differences = different(found[1:], right)
    for cell, (one, other) in differences.items():
        print(f"\n{cell!r}\n  job    {str(one)[:600]}\n  kernel {str(other)[:600]}")
    assert set(differences) == set(DIFFERENT)


def test_a_notebook_s_job_shows_what_a_kernel_shows(place, right, monkeypatch):
    monkeypatch.delenv("PYTEST_CURRENT_TEST")  # as above
    place.allow({"ipybgjobs.Notebook": ["run"]}, BackgroundJobs__allowed_notebooks=[f"{place.root}/**/*.ipynb"])
    cells = [v4.new_code_cell(cell, metadata={"tags": ["raises-exception"]}) for cell in [IMPORTS, *CELLS]]
    nbformat.write(v4.new_notebook(cells=cells), place.code / "all.ipynb")
    job = bg.submit("ipybgjobs.Notebook.run", {"path": str(place.code / "all.ipynb")})
    kept = nbformat.read(job.result(LONG), 4)
    differences = different([brief(cell.outputs) for cell in kept.cells[1:]], right)
    for cell, (one, other) in differences.items():
        print(f"\n{cell!r}\n  job    {str(one)[:600]}\n  kernel {str(other)[:600]}")
    assert not differences


def test_there_are_enough_cells_to_compare():
    assert len(CELLS) >= 200
