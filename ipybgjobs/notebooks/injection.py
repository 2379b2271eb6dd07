"""Inject parameters by papermill's convention: a cell tagged ``injected-parameters`` after the one tagged ``parameters``.

Values are written as Python that binds no names except the parameters, so that no name of the notebook changes its meaning;
whether the values fit was decided at submit.
"""

import datetime as dt
import decimal
import fractions
import math
import pathlib
import sys
import uuid
import zoneinfo
from collections.abc import Mapping
from typing import Any

from ..errors import InvalidParameters
from . import document, format_library

_HEAD = "# Parameters"


def source(parameters: Mapping[str, Any]) -> str:
    """Return the source of a cell that assigns parameters.

    Raises
    ------
    InvalidParameters
        If a value can't be written as Python.
    """
    return "\n".join([_HEAD, *(f"{name} = {_Written(name).value(value)}" for name, value in parameters.items())])


def inject(notebook: Any, text: str) -> None:
    """Put a cell with this source into a notebook, replacing an injected one."""
    before = document.tagged(notebook, document.INJECTED)
    if before is not None:
        notebook.cells[before].source = text
        return
    cell = format_library.load().v4.new_code_cell(text, metadata={"tags": [document.INJECTED]})
    if (notebook.nbformat, notebook.get("nbformat_minor", 0)) < (4, 5):
        del cell["id"]  # which that format does not have
    after = document.tagged(notebook, document.PARAMETERS)
    notebook.cells.insert(0 if after is None else after + 1, cell)


def _of(module: str, call: str) -> str:
    """Return a call of a module's attribute that binds no name for the module."""
    return f'__import__("{module}").{call}'


class _Written:
    """Writes values as Python.

    Parameters
    ----------
    name : str
        The name of their parameter.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def value(self, value: Any) -> str:
        """Return Python source that creates an equal value."""
        written = self._plain(value)
        for way in (self._of_numpy, self._of_library, self._of_calendar, self._collection):
            written = way(value) if written is None else written
        if written is None:
            raise InvalidParameters(
                f"{self._name} is a {type(value).__name__}, which can't be written into a notebook's cell: pass plain values, "
                "such as the path of a file that holds it."
            )
        return written

    def _plain(self, value: Any) -> str | None:
        if value is None or isinstance(value, bool):
            return repr(value)
        if isinstance(value, float) and not math.isfinite(value):
            return f'float("{float(value)}")'
        if isinstance(value, complex) and not (math.isfinite(value.real) and math.isfinite(value.imag)):
            return f"complex({self.value(float(value.real))}, {self.value(float(value.imag))})"
        for kind in (int, float, complex, str, bytes):
            if isinstance(value, kind):
                return kind.__repr__(value)  # a subclass is written as the plain value
        return None

    def _of_numpy(self, value: Any) -> str | None:
        """Write NumPy numbers and times; times stay NumPy's, since Python can't represent all of them."""
        numpy = sys.modules.get("numpy")
        if numpy is None or not isinstance(value, numpy.generic):
            return None
        if not isinstance(value, (numpy.datetime64, numpy.timedelta64)):
            plain = value.item()
            return None if isinstance(plain, numpy.generic) else self.value(plain)
        unit, step = numpy.datetime_data(value.dtype)
        text = numpy.isnat(value) or isinstance(value, numpy.datetime64)
        number = repr(str(value)) if text else str(int(value.astype("int64")))
        kind = type(value).__name__
        if unit == "generic":
            return _of("numpy", f"{kind}({number})")
        return _of("numpy", f'{kind}({number}, "{step if step != 1 else ""}{unit}")')

    def _of_library(self, value: Any) -> str | None:
        if isinstance(value, pathlib.PurePath):
            kind = "Path" if isinstance(value, pathlib.Path) else type(value).__name__
            return _of("pathlib", f"{kind}({str(value)!r})") if hasattr(pathlib, kind) else None
        if type(value) is decimal.Decimal:
            return _of("decimal", repr(value))
        if type(value) is fractions.Fraction:
            return _of("fractions", repr(value))
        return _of("uuid", repr(value)) if type(value) is uuid.UUID else None

    def _of_calendar(self, value: Any) -> str | None:
        if type(value) in (dt.date, dt.timedelta):
            return _of("datetime", repr(value).removeprefix("datetime."))
        if type(value) in (dt.datetime, dt.time):
            bare = _of("datetime", repr(value.replace(tzinfo=None)).removeprefix("datetime."))
            return bare if value.tzinfo is None else f"{bare}.replace(tzinfo={self.value(value.tzinfo)})"
        if type(value) is dt.timezone:
            return _of("datetime", "timezone.utc" if value == dt.UTC else self._offset(value))
        return _of("zoneinfo", f"ZoneInfo({value.key!r})") if isinstance(value, zoneinfo.ZoneInfo) and value.key else None

    def _offset(self, zone: dt.timezone) -> str:
        offset, named = zone.utcoffset(None), zone.tzname(None)
        name = "" if named == dt.timezone(offset).tzname(None) else f", {named!r}"
        return f"timezone({self.value(offset)}{name})"

    def _collection(self, value: Any) -> str | None:
        if isinstance(value, dict):
            pairs = (f"{self.value(key)}: {self.value(item)}" for key, item in value.items())
            return "{" + ", ".join(pairs) + "}"
        if not isinstance(value, (list, tuple, set, frozenset)):
            return None
        inside = ", ".join(self.value(item) for item in value)
        if isinstance(value, list):
            return f"[{inside}]"
        if isinstance(value, tuple):
            return f"({inside}{',' if len(value) == 1 else ''})"
        return f"{'frozenset' if isinstance(value, frozenset) else 'set'}([{inside}])"
