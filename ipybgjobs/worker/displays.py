"""Write a job's displays as records in ``outputs.jsonl``, each with the length of the text log at the time, to keep the order.

Records have the meaning of the Jupyter messaging protocol (``display_data``, ``update_display_data``, ``clear_output``,
``execute_result``, ``error``). No record shows a secret of the call or the environment; printed text is kept unchanged. Imported
only if a job displays something, raises, or returns something rich.
"""

import base64
import contextlib
import json
import math
import os
import sys
from typing import Any

from ..model import json_text, redaction
from ..state import attempt, current_job
from . import descriptions, streams
from .output_file import OutputFile

_LONGEST_TEXT = 10_000

#: MIME type of a widget, whose model exists only in the job's memory.
_WIDGET = "application/vnd.jupyter.widget-view+json"

#: Methods that represent an object, with the type they return; used only if IPython, which knows more, is not imported.
_METHODS = {
    "_repr_html_": "text/html",
    "_repr_markdown_": "text/markdown",
    "_repr_svg_": "image/svg+xml",
    "_repr_png_": "image/png",
    "_repr_jpeg_": "image/jpeg",
    "_repr_latex_": "text/latex",
    "_repr_json_": "application/json",
}

#: Methods that need IPython: they return several representations, or display the object themselves.
_OF_IPYTHON = ("_repr_mimebundle_", "_ipython_display_")


_files: dict[str, OutputFile] = {}


def _file(folder: str) -> OutputFile:
    """Return the file of an attempt; a process has one, shared by all that write."""
    return _files.setdefault(folder, OutputFile(f"{folder}/{attempt.OUTPUTS}", current_job.most_output()))


class Outputs:
    """The records of one attempt.

    Parameters
    ----------
    folder : str
        The attempt folder.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def offset(self) -> int:
        """Return the length of the text log, once all printed text is in it."""
        for name in ("stdout", "stderr", "__stdout__", "__stderr__"):
            with contextlib.suppress(Exception):  # closed, deleted, or replaced by the user
                getattr(sys, name).flush()
        try:
            return os.stat(f"{self._folder}/{attempt.OUTPUT}").st_size
        except OSError:
            return 0

    def add(self, kind: str, **content: Any) -> None:
        """Append a record as a kernel would write it; if it can't be written as JSON, append a record that says so."""
        record = {"kind": kind, "offset": self.offset(), **content}
        try:
            json_text.check_depth(record)
            line = _as_json(redaction.cleaned(record, current_job.hidden()))
        except (TypeError, ValueError, RecursionError) as error:
            reason = f"{type(error).__name__}: {error}"
            line = json.dumps({"kind": "lost", "offset": record["offset"], "reason": reason[:_LONGEST_TEXT]})
        self._append(line, kind, content.get("display_id"))

    def _append(self, line: str, kind: str, display_id: str | None) -> None:
        file, content = _file(self._folder), (line + "\n").encode("utf-8", "backslashreplace")
        if file.longest is not None and len(content) > file.longest:
            note = {"kind": "dropped", "offset": self.offset(), "displays": 1, "bytes": len(content)}
            content, display_id = (json.dumps(note) + "\n").encode(), None
        try:
            file.append(content, kind, display_id)
        except OSError as error:
            streams.losses.note(error, displays=1)

    def display(self, data: dict[str, Any], metadata: dict[str, Any], display_id: str | None, *, update: bool) -> None:
        """Record a display, or an update of one."""
        self.add("update" if update else "display", data=_encoded(data), metadata=metadata, display_id=display_id)

    def clear(self, *, wait: bool) -> None:
        """Clear the displays: now, or when the next one arrives."""
        self.add("clear", wait=wait)

    def begin(self) -> None:
        """Start a new section: a later `clear` does not affect earlier displays."""
        self.add("begin")

    def result(self, value: Any) -> None:
        """Record the representation of the return value; long text is cut, since the full value is saved as the result."""
        data, metadata = mime_bundle(value)
        self.result_as({kind: _cut(kind, text) for kind, text in _encoded(data).items()}, metadata)

    def result_as(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Record a value's representation; that of a cell's last expression is kept nowhere else."""
        if data:
            self.add("result", data=_encoded(data), metadata=metadata)

    def error(self, told: descriptions.ErrorText, began: int) -> None:
        """Record the exception that the job raised; its full traceback is also in the text log, from `began` on."""
        name = told.kind.rpartition(".")[2]
        self.add("error", name=name, message=told.cut_message(), traceback=[told.cut_traceback()], began=began)


def _as_json(record: dict[str, Any]) -> str:
    """Return a record as JSON, like a kernel: other types are converted, and numbers that JSON lacks become text."""
    try:
        return json.dumps(record, default=_plain, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(record), default=_plain, allow_nan=False)


def _plain(value: Any) -> Any:
    """Return the JSON equivalent of a value of another type.

    Raises
    ------
    TypeError
        If there is none.
    """
    import datetime as dt

    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode()
    if isinstance(value, dt.datetime):
        here = value.tzinfo or dt.datetime(*value.timetuple()[:6]).astimezone().tzinfo
        return value.replace(tzinfo=here).isoformat().replace("+00:00", "Z")
    if isinstance(value, dt.date):
        return value.isoformat()
    number = _plain_number(value)
    if number is None and not hasattr(value, "__iter__"):
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
    return list(value) if number is None else number


def _plain_number(value: Any) -> Any:
    """Convert a number of another library, such as NumPy, to Python; None if it is not a number."""
    import numbers

    if type(value).__name__ in ("bool", "bool_"):  # NumPy's, which is not a number
        return bool(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    return _finite(float(value)) if isinstance(value, numbers.Real) else None


def _finite(value: Any) -> Any:
    """Return a value with ``nan`` and ``inf`` converted to text."""
    if isinstance(value, float) and not math.isfinite(value):
        return repr(float(value))
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def _encoded(data: dict[str, Any]) -> dict[str, Any]:
    """Return a MIME bundle as nbformat writes it: bytes as base64, all but JSON as text, no widgets, which end with the job."""
    kinds = data.keys() - {_WIDGET} or data.keys()
    return {kind: _as_text(kind, value) for kind, value in data.items() if kind in kinds}


def _as_text(kind: str, value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value if isinstance(value, str) or kind.endswith("json") else str(value)


def _cut(kind: str, text: Any) -> Any:
    """Cut plain text that is too long to read."""
    long = kind == "text/plain" and isinstance(text, str) and len(text) > _LONGEST_TEXT
    return text[:_LONGEST_TEXT] + " …" if long else text


def mime_bundle(value: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return an object's MIME bundle with metadata: from IPython's formatters if the job has them, else from its methods."""
    if isinstance(value, (str, bytes, bytearray)):
        return {"text/plain": repr(value[:_LONGEST_TEXT])}, {}  # the full repr may take more memory than is available
    shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
    if not shell and any(hasattr(type(value), name) for name in _OF_IPYTHON):
        from IPython.core.getipython import get_ipython  # creates the job's shell

        shell = get_ipython()
    if shell:
        data, metadata = shell.display_formatter.format(value)
        return dict(data), dict(metadata)
    found: dict[str, Any] = {}
    for method, kind in _METHODS.items():
        with contextlib.suppress(Exception):
            shown = getattr(value, method)() if hasattr(type(value), method) else None
            if shown is not None:
                found[kind] = shown[0] if isinstance(shown, tuple) else shown
    return {"text/plain": descriptions.representation(value), **found}, {}
