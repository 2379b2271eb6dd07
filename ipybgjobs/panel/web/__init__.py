"""What a browser shows: plain ES modules and a style sheet, put together as they are; no build, nothing from elsewhere.

A notebook's widget takes one module and can't import a neighbour, so the files are joined: each begins with the names that it
imports from others, which are dropped, as is the word `export`. `test_web.py` holds that no name stands in two of them.
"""

import functools
import re
from importlib import resources

#: The files that every panel needs; a file comes after those that it uses.
_PARTS = (
    "text",
    "terminal",
    "elements",
    "jobs",
    "link",
    "progress",
    "table",
    "outputs",
    "detail",
    "toolbar",
    "confirm",
    "board",
    "panel",
    "card",
    "mount",
)

_IMPORT = re.compile(r'^import [^;]*? from "\./\w+\.js";\n', re.MULTILINE | re.DOTALL)
_EXPORT = re.compile(r"^export (?=(?:const|let|class|function|async) )", re.MULTILINE)


@functools.cache
def script(entry: str) -> str:
    """Return one ES module: all parts, and the entry, ``widget`` or ``page``, at the end."""
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
