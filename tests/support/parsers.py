"""Everything that reads what somebody else wrote, as one table: what reads it, and the errors that it may raise.

`test_parsers.py` tries them with hypothesis, ``python -m tests.fuzz`` with atheris, ``benchmarks/parsers.py`` with long texts.
"""

import contextlib
import functools
import json
import os
import pathlib
import sqlite3
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from msgspec.structs import replace

from ipybgjobs.client.submit import options
from ipybgjobs.commands import cell_code, cell_line, cli, completion, job_line
from ipybgjobs.commands.usage import UsageFault
from ipybgjobs.configuration import loading, sources
from ipybgjobs.configuration.settings import AllowedEntry, Settings
from ipybgjobs.errors import ConfigurationError, InvalidParameters, JobNotAllowed, ResultNotKept
from ipybgjobs.model import durations, globs, job_key, moments, redaction, scalars, terminal_text
from ipybgjobs.notebooks import document, signature
from ipybgjobs.state import attempt, outputs, progress, recorded_values, reports, request, results
from ipybgjobs.state.text_log import TextLog
from ipybgjobs.store import columns, scheduled_job
from ipybgjobs.targets import allowlist, binding, context, target_rules

NOW = 1_800_000_000.0

SETTINGS = Settings(
    allowed={
        "work.Trainer": AllowedEntry("work.Trainer", ("fit", "evaluate"), "a file"),
        "work": AllowedEntry("work", ("echo",), "a file"),
    },
    allowed_notebooks=("/work/**/*.ipynb",),
)


@dataclass(frozen=True, slots=True)
class Parser:
    """What reads a text.

    Parameters
    ----------
    read : callable
        Reads it.
    errors : tuple of type
        What it may raise, as its docstring says; each of them in one sentence.
    parts : tuple of str
        Words that mean something to it, for texts that are nearly right.
    long : tuple of (str, str, str)
        How long texts begin, what they repeat, how they end.
    lines : int
        How often a line is repeated at most: IPython reads a whole cell again for each magic in it.
    """

    read: Callable[[str], object]
    errors: tuple[type[Exception], ...] = ()
    parts: tuple[str, ...] = ()
    long: tuple[tuple[str, str, str], ...] = field(default=())
    lines: int = 5000

    def __call__(self, text: str) -> str | None:
        """Have a text read; return how it was refused, None where it was not. Another error than those documented is raised."""
        try:
            self.read(text)
        except self.errors as error:
            return str(error)
        return None


def value_of(text: str) -> Any:
    """The value that a text says in JSON; where it says none, the text itself."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _in_folder(name: str, read: Callable[[str], object]) -> Callable[[str], object]:
    """Have a text read as a file of a folder."""

    def within(text: str) -> object:
        with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
            with open(f"{folder}/{name}", "wb") as file:
                file.write(text.encode("utf-8", "surrogatepass"))
            return read(folder)

    return within


def _reports(folder: str) -> None:
    names = (attempt.STARTED, attempt.OUTCOME, attempt.EXIT, attempt.DROPPED, attempt.PROGRESS, attempt.VALUES, attempt.ENDING)
    for name in names:
        with contextlib.suppress(FileExistsError):
            os.link(f"{folder}/text", f"{folder}/{name}")
    for report in (reports.start_marker, reports.exit_report, reports.dropped, reports.outcome, request.kept):
        report(folder)
    str(progress.of_attempt(folder))
    _values(folder)
    outputs.of_result(getattr(reports.outcome(folder), "result", {}))
    assert isinstance(results.exception(folder, "error", "job 1", None), BaseException)
    with contextlib.suppress(ResultNotKept):
        results.value(folder, 1)


def _values(folder: str) -> None:
    values = recorded_values.of_attempt(folder)
    scalars.show(values)
    json.dumps(scalars.for_json(values), allow_nan=False)
    results.without_pickle(folder)


def _outputs(folder: str) -> None:
    with open(f"{folder}/{attempt.OUTPUT}", "wb") as file:
        file.write(b"some text\n" * 50)
    json.dumps(outputs.without_secrets(outputs.of_attempt(folder), ["secret"]))


def _log(folder: str) -> None:
    log = TextLog(folder)
    log.text(), log.tail(3), log.piece(5, 100)


def _columns(text: str) -> None:
    """Each reader of a column gives a value of its type, or says which column it is."""
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    try:
        value = value_of(text)
        value = value if isinstance(value, (str, int, float, type(None))) and not _is_too_large(value) else text
        [row] = connection.execute("SELECT ? AS it", (_storable(value),))
        for read in (columns.text, columns.text_or_none, columns.whole, columns.whole_or_none, columns.number,
                     columns.number_or_none, columns.mapping, columns.texts_by_name, columns.texts):  # fmt: skip
            with contextlib.suppress(columns.UnreadableRow):
                read(row, "it")
        columns.any_text(row, "it")
        columns.any_whole(row, "it")
    finally:
        connection.close()


def _is_too_large(value: Any) -> bool:
    return isinstance(value, int) and abs(value) >= 1 << 63


def _storable(value: Any) -> Any:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _options(text: str) -> None:
    value = value_of(text)
    given = value if isinstance(value, dict) else dict.fromkeys(options.NAMES[:1], value)
    options.check({str(name): each for name, each in given.items()}, SETTINGS.allowed["work"], SETTINGS, NOW)
    for name in options.NAMES:
        with contextlib.suppress(InvalidParameters):
            options.check({name: value}, SETTINGS.allowed["work"], SETTINGS, NOW)


def _keys(text: str) -> None:
    value = value_of(text)
    for check in (lambda: options.key(value), lambda: options.text(value, "name"), lambda: options.queue(value, SETTINGS),
                  lambda: options.count(value, "limit"), lambda: options.priority(value)):  # fmt: skip
        with contextlib.suppress(InvalidParameters):
            check()
    job_key.of(text)


def _pattern(text: str) -> None:
    found = globs.expanded(text)
    globs.matches("/work/a/b.ipynb", found)
    globs.matches(text, "/work/**/*.ipynb")


def _path(text: str) -> None:
    globs.of(text)
    globs.place(text)
    target_rules.extra_permissions({"path": text}, SETTINGS)
    target_rules.of("notebook").check("x.Y.run", {"path": text}, SETTINGS)


def _notebook(folder: str) -> None:
    path = f"{folder}/text"
    document.author(path)
    content = document.load(path)
    notebook = document.parse(content)
    document.code_cells(notebook)
    signature.signature_of(notebook, path)
    signature.of_file(path)


def _parameters_cell(text: str) -> None:
    cell = SimpleNamespace(cell_type="code", source=text, metadata={"tags": ["parameters"]})
    signature.signature_of(SimpleNamespace(cells=[cell]), "a notebook")


_command_line_parser = functools.cache(cli.parser)


def _command_line(text: str) -> None:
    """Everything up to the verb itself; `--help` and `--version` print, and end."""
    words = text.split("\n")
    with contextlib.suppress(SystemExit), open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        parsed, _ = _command_line_parser().parse_known_args(job_line.with_values(words))
        if parsed.verb == "submit":
            job_line.given_options(parsed)
            job_line.parse_words(parsed.words)


def _takes(path: pathlib.Path, number: int, words: list[str] | None, anything: Any) -> None:
    """Has parameters of several kinds."""


def _bound(text: str) -> None:
    shape = binding.signature_of(_takes, "takes")
    assert shape is not None
    shape = replace(shape, parameters=tuple(replace(slot, required=False) for slot in shape.parameters))
    value = value_of(text)
    for given in (value, binding.RawValue(text, value), binding.RawValue(text, text, bare=True)):
        for name in ("path", "number", "words", "anything", "unknown"):
            with contextlib.suppress(InvalidParameters):
                binding.bind(shape, {name: given})


def _json_configuration(folder: str) -> None:
    loading.load([sources.ConfigurationFile(f"{folder}/text.json", "user")], user_can_write=lambda _: True)


def _redacted(text: str) -> None:
    redaction.typed(text)
    redaction.one_line(text)
    redaction.quoted(text)
    redaction.without(text, ["a secret", text[:20]])
    redaction.cleaned(value_of(text), ["a secret"])


def _row_values(text: str) -> None:
    for read in (context.Context.from_text, lambda value: scheduled_job.Environment(value).variables()):
        with contextlib.suppress(ValueError):
            read(text)


_LINE = (
    "work.Trainer", ".fit", "(lr=0.1)", " ", "=", "$x", "x=", '"', "'", "[", "]", "{", "}", "\\", "--name ", "--after=1,2", "#",
         ";", "--queue", "--retry 3", "--delay 5m", "-", "1", "None")  # fmt: skip
_JSON = ("{", "}", "[", "]", ":", ",", '"', "null", "true", "1", "-1", "1e999", "NaN", "9" * 5000, '"\\ud800"', '"a"')
_LONG_JSON = (
    ("", "[", ""),
    ("", '{"a":', ""),
    ("[", "1,", "1]"),
    ('"', "a", '"'),
    ("", "9", ""),
    ('"', "\\u0000", '"'),
    ("[", "{},", "1]"),
)
_LONG_LINE = (
    ('work.echo "x="', '\\"', '"'),
    ("work.echo x=", "a", ""), ("work.echo ", "x=1 ", ""), ('work.echo x="', '\\"', '"'), ('"work.echo x="', '\\"', '"'),
    ("work.echo x=", "[", ""), ("work.echo x=", "-", "1"), ("work.echo x=", "1+", "1"), ("work.echo x=[", "1,", "]"),
    ("work.echo x=", "$x", ""), ("x(", ").a", "!"), ("", "a ", ""), ("", "--name ", ""), ("", "-", ""), ("", "é", ""), ("", "=",
     ""),
    ("work.echo ", "--after=", ""), ("work.echo --after ", "1,", ""), ("", "'", ""), ("work.echo x=", "\n", ""), ("", "\\", ""),
)  # fmt: skip

PARSERS: dict[str, Parser] = {
    "durations": Parser(
        lambda text: durations.show(durations.seconds(text)),
        (ValueError,),
        ("1", "30", "s", "m", "ms", "h", "d", "w", ".", " ", "-", "e5", "nan", "inf", "_"),
        (
            ("", "9", ""),
            ("", " ", ""),
            ("", "1s", ""),
            ("", "1 ", ""),
            ("", "1.", ""),
            ("", "1s ", "x"),
            ("1", " ", "s"),
            ("", "٣", ""),
        ),
    ),
    "moments": Parser(
        lambda text: moments.parse(text, NOW),
        (ValueError,),
        ("2026-11-24", "22:30", " ", "T", "+01:00", "Z", ":", "-", "9999-12-31", "0001-01-01", "24:00", "W48", ".5"),
        (("", "2", ""), ("", " ", ""), ("2026-11-24 22:30:00.", "1", ""), ("", "22:", "")),
    ),
    "job line": Parser(
        lambda text: (job_line.parse(text, {"x": 1, "frame": object()}), job_line.is_silent(text)),
        (UsageFault,),
        _LINE,
        _LONG_LINE,
    ),
    "cell line": Parser(
        lambda text: cell_line.parse(text, {"x": 1}), (UsageFault,), (*_LINE, "--in ", "--out ", "x,y"), _LONG_LINE
    ),
    "shell's words": Parser(lambda text: job_line.parse_words(text.split("\n")), (UsageFault,), (*_LINE, "\n"), _LONG_LINE),
    "command line": Parser(
        _command_line,
        (UsageFault,),
        (
            "submit",
            "list",
            "show",
            "log",
            "retry",
            "clean",
            "config",
            "\n",
            "--json",
            "--state",
            "--limit",
            "1",
            "--",
            "--help",
            *_LINE,
        ),
        (("submit\n", "x=1\n", ""), ("submit\n", "-", ""), ("", "list\n", ""), ("show\n", "1", ""), ("list\n--limit\n", "9", "")),
    ),
    "completion": Parser(
        completion.complete,
        (),
        ("%bgjob ", "%%bgjob ", "%bgjobs ", "show ", "--after ", "work.Trainer(", *_LINE),
        (("%bgjob ", "(", ""), ("%bgjob ", "a ", ""), ("%bgjob --after ", "1,", ""), ("%bgjob ", '"', ""), ("", " ", "=%bgjob ")),
    ),
    "options": Parser(
        _options, (InvalidParameters,), (*_JSON, *(f'"{name}"' for name in options.NAMES), '"30s"', '"22:30"'), _LONG_JSON
    ),
    "keys": Parser(_keys, (), (*_JSON, "²", "٣", "12"), _LONG_JSON),
    "targets": Parser(
        lambda text: allowlist.find_permission(text, SETTINGS),
        (JobNotAllowed,),
        ("work", ".", "Trainer", "fit", "_", "__main__", "ipybgjobs.Cell.run", "é", "\0"),
        (("", "a.", "b"), ("", "a", ""), ("", ".", ""), ("work.", "echo", "")),
    ),
    "path patterns": Parser(
        _pattern,
        (ValueError,),
        ("/", "*", "**", "?", "[", "]", "!", "~", "a", ".ipynb", "..", "-", "\0", "\ud800"),
        (("/", "a/", ""), ("/", "*", ""), ("/", "**/", ""), ("/", "[", ""), ("~", "a", ""), ("/", "*a", "")),
    ),
    "paths": Parser(
        _path, (JobNotAllowed,), ("/", "..", "a", "~", "*", "\0", "\ud800", "\n"), (("/", "a/", ""), ("", "../", ""))
    ),
    "notebooks": Parser(
        _in_folder("text", _notebook),
        (InvalidParameters,),
        (
            '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [',
            '{"cell_type": "code", "source": "',
            '", "metadata": {}}',
            "]}",
            '"nbformat": 3',
            '"worksheets": []',
            '"id": "a"',
            '"outputs": 1',
            '"tags": ["parameters"]',
            *_JSON,
        ),
        (*_LONG_JSON, ('{"nbformat":4,"cells":[', '{"cell_type":"raw","source":"","metadata":{}},', "1]}")),
    ),
    "parameters cells": Parser(
        _parameters_cell,
        (InvalidParameters,),
        (
            "a",
            " = ",
            "1",
            ": ",
            "int",
            " | ",
            "Optional[",
            "Literal[",
            "]",
            "\n",
            "(",
            ")",
            ",",
            "'",
            "%time ",
            "!ls",
            ".b",
            "-",
            "\0",
            "f''",
        ),
        (
            ("a = ", "-", "1"),
            ("a = x", ".y", ""),
            ("a: int", "|int", " = 1"),
            ("a = ", "[", ""),
            ("", "a = 1\n", ""),
            ("", "%x\n", ""),
            ("", "x = !ls\n", ""),
            ("a: '", "x[", "'"),
            ("a = '", "b", "'"),
            ("(" * 90, "a,", ")" * 90 + " = 1"),
            ("", "(", ""),
        ),
    ),
    "code of cells": Parser(
        cell_code.read,
        (InvalidParameters,),
        (
            "%%time\n",
            "%%capture x\n",
            "x",
            " = ",
            "1",
            "\n",
            "def f():\n ",
            "class A:\n ",
            "import a",
            "!ls",
            "%run x",
            "\\",
            "'''",
            "\0",
            "(",
        ),
        (("", "%%time\n", "x"), ("x = ", "-", "1"), ("x = ", "(", ""), ("", "x = 1\n", "")),
        lines=100,
    ),
    "terminal": Parser(
        terminal_text.settled,
        (),
        (
            "\x1b[",
            "A",
            "B",
            "K",
            "2K",
            "31m",
            "\r",
            "\n",
            "\b",
            "x",
            "é",
            "\x1b]8;;",
            "\x1b\\",
            "\x07",
            "500",
            ";",
            "?",
            "\x1b",
            "H",
            "J",
        ),
        (
            ("", "\x1b[", ""),
            ("", "\x1b[500B", "x"),
            ("x\r", "\x1b[31m", "x"),
            ("", "a\b", ""),
            ("", "\r", "x"),
            ("\x1b]", "a", ""),
            ("\x1b[", "0", "B"),
            ("", "\x1b]", "\r"),
            ("", "\x1b[A\x1b[500Bx", ""),
            ("", "a\r\x1b[K", ""),
            ("", "\n\x1b[A", "x"),
            ("\r", "x", ""),
        ),
    ),
    "outputs": Parser(
        _in_folder(attempt.OUTPUTS, _outputs),
        (),
        (
            '{"kind": "display"',
            '"offset": 5',
            '"data": {}',
            '"metadata": {}',
            '"display_id": "a"',
            '"kind": "clear"',
            '"wait": true',
            '"kind": "error"',
            '"name": "a"',
            '"message": ""',
            '"traceback": ["a"]',
            '"began": 0',
            ", ",
            "}",
            "\n",
            *_JSON,
        ),
        (
            ("", '{"kind":"begin","offset":0}\n', ""),
            ("", '{"kind":"display","offset":9,"data":{},"metadata":{},"display_id":"a"}\n', ""),
            ("", '{"kind":"clear","wait":true,"offset":1}\n', ""),
            ("", "[", ""),
            ("", "\n", ""),
        ),
    ),
    "logs": Parser(_in_folder(attempt.OUTPUT, _log), (), ("\n", "\r", "é", "\ud800", "x"), (("", "\n", ""), ("", "é", ""))),
    "reports": Parser(
        _in_folder("text", _reports),
        (),
        (
            '"process"',
            '"pid"',
            '"status"',
            '"succeeded"',
            '"error"',
            '"result"',
            '"plain"',
            '"lost"',
            '"bars"',
            '"from"',
            '"to"',
            *_JSON,
        ),
        _LONG_JSON,
    ),
    "columns": Parser(_columns, (), _JSON, _LONG_JSON),
    "rows": Parser(_row_values, (), ('"path"', '"sources"', '"flags"', '"umask"', '"cwd"', '"executable"', *_JSON), _LONG_JSON),
    "configuration": Parser(
        _in_folder("text.json", _json_configuration),
        (ConfigurationError,),
        (
            '{"BackgroundJobs": {',
            '"allowed_jobs": {',
            '"a.B": ["fit"]',
            '"a.B": {"allowed_methods": ["x"]',
            '"timeout": "5m"',
            '"from": "/a"',
            '"queues": {"gpu": 1}',
            '"RetryPolicy": {',
            '"delay_seconds": [1, 2]',
            '"on_finish": ["{id}"]',
            '"allowed_notebooks": ["/a/*"]',
            '"secret_names": ["*a*"]',
            '"locked": true',
            '"version": 1',
            "a(",
            *_JSON,
        ),
        (*_LONG_JSON, ('{"BackgroundJobs":{"', "a(", '":1}}'), ('{"BackgroundJobs":{"allowed_jobs":{"a', "a", '":["x"]}}}')),
    ),
    "redaction": Parser(
        _redacted,
        (),
        ("password=", "--token ", "://u:p@h", "?token=x", "Bearer abcDEF12345", "…", '"', " ", "=", "\n", "\x1b", "a secret"),
        (
            ("", "a", ""),
            ("", "-", ""),
            ("", "a ", ""),
            ("", "?token=x", ""),
            ("", "://", ""),
            ("Bearer ", " ", ""),
            ("", "Bearer a1", ""),
            ("", "…", ""),
            ("", "a-", ""),
            ("a", " ", ""),
        ),
    ),
    "parameters": Parser(_bound, (), ("~", "\0", "/", *_JSON), _LONG_JSON),
}


def read_all(name: str, text: str) -> None:
    """Have a parser read a text, and see to it that what it says of it is one sentence on one line, and not a long one."""
    said = PARSERS[name](text)
    assert said is None or ("\n" not in said and said and len(said) < 3000 + 2 * min(len(text), 5000)), said


def processor_seconds(name: str, text: str) -> float:
    """Processor time that a parser takes for a text."""
    began = time.process_time()
    PARSERS[name](text)
    return time.process_time() - began
