"""The browser's part: plain ES modules and a style sheet, joined unchanged; without a build, loading nothing from elsewhere.

A notebook widget takes one module that can't import its neighbours, so the files are joined: the imports at the beginning of
each are removed, as is the word ``export``. Two files that define the same name make a syntax error, with which no panel works.
"""

import functools
import re
from importlib import resources

#: The files that every panel needs; each comes after those that it uses.
_PARTS = (
    "text",
    "waiting",
    "terminal",
    "elements",
    "call",
    "groups",
    "neighbours",
    "filter",
    "jobs",
    "link",
    "progress",
    "retry",
    "row",
    "group_row",
    "selection",
    "table",
    "markdown",
    "outputs",
    "log",
    "detail",
    "toolbar",
    "confirm",
    "board",
    "panel",
    "card",
    "group",
    "mount",
)

_IMPORT = re.compile(r'^import [^;]*? from "\./\w+\.js";\n', re.MULTILINE | re.DOTALL)
_EXPORT = re.compile(r"^export (?=(?:const|let|class|function|async) )", re.MULTILINE)


@functools.cache
def script(entry: str) -> str:
    """Return one ES module: all parts, followed by the entry, ``widget`` or ``page``."""
    return "".join(f"// {name}.js\n{_inner(read(f'{name}.js'))}\n" for name in _PARTS) + _IMPORT.sub("", read(f"{entry}.js"))


def _inner(text: str) -> str:
    return _EXPORT.sub("", _IMPORT.sub("", text))


@functools.cache
def style() -> str:
    """Return the style sheet."""
    return read("panel.css")


@functools.cache
def read(name: str) -> str:
    """Return one of the files."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
