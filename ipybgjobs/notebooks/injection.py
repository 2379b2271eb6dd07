"""Parameters in a notebook, by papermill's convention: a cell tagged ``injected-parameters`` after the one tagged ``parameters``.

It writes values as Python; which fit was decided at submit.
"""

import datetime as dt
import math
import pathlib
from collections.abc import Mapping
from typing import Any

from ..errors import InvalidParameters
from . import document

_HEAD = "# Parameters"


def source(parameters: Mapping[str, Any]) -> str:
    """Return the source of a cell that assigns parameters.

    Raises
    ------
    InvalidParameters
        If a value can't be written as Python.
    """
    needed: dict[str, None] = {}
    lines = [f"{name} = {_written(name, value, needed)}" for name, value in parameters.items()]
    imports = [f"import {module}" for module in needed]
    return "\n".join([_HEAD, *imports, *lines])


def inject(notebook: Any, text: str) -> None:
    """Put a cell with this source into a notebook, in the place of one that was injected before."""
    before = document.tagged(notebook, document.INJECTED)
    if before is not None:
        notebook.cells[before].source = text
        return
    from nbformat import v4

    cell = v4.new_code_cell(text, metadata={"tags": [document.INJECTED]})
    if (notebook.nbformat, notebook.nbformat_minor) < (4, 5):
        del cell["id"]  # which that format has not
    after = document.tagged(notebook, document.PARAMETERS)
    notebook.cells.insert(0 if after is None else after + 1, cell)


def _written(name: str, value: Any, needed: dict[str, None]) -> str:
    """A value as Python, and which modules that needs."""
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()  # NumPy's numbers
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    for kind in (int, float, complex, str, bytes):
        if isinstance(value, kind) and not isinstance(value, bool):
            return kind.__repr__(value)  # of a subclass, as the plain value
    if value is None or isinstance(value, bool):
        return repr(value)
    if isinstance(value, pathlib.PurePath):
        needed["pathlib"] = None
        return f"pathlib.Path({str(value)!r})"
    if isinstance(value, (dt.date, dt.timedelta)) and type(value).__module__ == "datetime":
        needed["datetime"] = None
        return repr(value)
    return _collection(name, value, needed)


def _collection(name: str, value: Any, needed: dict[str, None]) -> str:
    if isinstance(value, dict):
        pairs = (f"{_written(name, key, needed)}: {_written(name, item, needed)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, (list, tuple, set, frozenset)):
        inside = ", ".join(_written(name, item, needed) for item in value)
        if isinstance(value, list):
            return f"[{inside}]"
        if isinstance(value, tuple):
            return f"({inside}{',' if len(value) == 1 else ''})"
        return f"{type(value).__name__}([{inside}])"
    raise InvalidParameters(
        f"{name} is a {type(value).__name__}, which can't be written into a notebook's cell: give plain values, such as the path "
        "of a file that holds it."
    )
