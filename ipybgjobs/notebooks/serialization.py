"""Write a notebook as the text of its file, piece by piece, like nbformat: large outputs are never in memory twice.

It never checks or changes the notebook.
"""

import re
from collections.abc import Iterator
from typing import Any

from nbformat import from_dict
from nbformat.v4 import nbjson, rwbase

#: MIME types other than ``text/…`` that are written as lists of lines.
_OF_LINES = ("application/javascript", "image/svg+xml")

#: The line ends of `str.splitlines`.
_END = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")

#: Number of characters that are joined into one piece.
_PIECE = 1 << 20


class _Lines(list[str]):
    """A text as a list of its lines, which are created on demand."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __iter__(self) -> Iterator[str]:
        begin = 0
        for end in _END.finditer(self._text):
            yield self._text[begin : end.end()]
            begin = end.end()
        if begin < len(self._text):
            yield self._text[begin:]


def pieces(notebook: Any) -> Iterator[bytes]:
    """Yield the content of a notebook's file."""
    bare = {**notebook, "cells": [{**cell, "outputs": []} if "outputs" in cell else cell for cell in notebook.cells]}
    shell = rwbase.strip_transient(rwbase.split_lines(from_dict(bare)))
    for cell, written in zip(notebook.cells, shell["cells"], strict=True):
        if "outputs" in cell:
            written["outputs"] = [_written(output) for output in cell.outputs] if cell.cell_type == "code" else cell.outputs
    encoder = nbjson.BytesEncoder(indent=1, sort_keys=True, separators=(",", ": "), ensure_ascii=False)
    gathered: list[str] = []
    size = 0
    for text in encoder.iterencode(shell):
        gathered.append(text)
        size += len(text)
        if size > _PIECE:
            yield "".join(gathered).encode("utf-8", "backslashreplace")
            gathered, size = [], 0
    yield "".join(gathered).encode("utf-8", "backslashreplace")


def _written(output: Any) -> dict[str, Any]:
    """Return an output as it is written to the file: texts as lists of lines."""
    if output["output_type"] == "stream" and isinstance(output["text"], str):
        return {**output, "text": _Lines(output["text"])}
    if output["output_type"] in ("execute_result", "display_data"):
        return {**output, "data": {kind: _lines(kind, value) for kind, value in output.get("data", {}).items()}}
    return dict(output)


def _lines(kind: str, value: Any) -> Any:
    return _Lines(value) if isinstance(value, str) and (kind.startswith("text/") or kind in _OF_LINES) else value
