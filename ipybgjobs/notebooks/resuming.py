"""What of an earlier output still holds: the cells from the top that had succeeded there and have not changed since.

It reads the earlier output; it runs and writes nothing.
"""

from typing import Any

from . import document
from .document import METADATA, CodeCell

#: Cells that run again even if they had succeeded: what the others need of them is in the kernel's memory.
ALWAYS = {document.PARAMETERS, document.INJECTED, document.SETUP}


def finished(cells: list[CodeCell], shown: dict[int, str], path: str) -> list[CodeCell]:
    """Return those of `cells` that need not run again, with the outputs that they had.

    Parameters
    ----------
    cells : list of CodeCell
        The cells that are to run.
    shown : dict of int to str
        Sources that an output has in the place of theirs, by index.
    path : str
        The earlier output; where it is none, nothing is finished.
    """
    same = []
    for cell, before in zip(cells, _cells_of(path), strict=False):  # as far as both go
        if not has_succeeded(before.cell) or before.cell.source != shown.get(cell.place, cell.cell.source):
            break
        same.append((cell, before.cell))
    found = [(cell, before) for cell, before in same if not ALWAYS & set(cell.tags)]
    for cell, before in found:
        cell.cell.outputs, cell.cell.execution_count = before.outputs, before.execution_count
        mark(cell.cell, "succeeded")
    return [cell for cell, _ in found]


def _cells_of(path: str) -> list[CodeCell]:
    try:
        with open(path, "rb") as file:
            return document.code_cells(document.parse(file.read()))
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return []  # nothing that a run of ours has left


def mark(cell: Any, state: str | None) -> None:
    """Note in a cell's metadata how it has ended; None: not yet."""
    if state is None:
        cell.metadata.pop(METADATA, None)
    else:
        cell.metadata[METADATA] = {"state": state}


def has_succeeded(cell: Any) -> bool:
    """Return whether a cell is marked as one that has succeeded."""
    said = cell.metadata.get(METADATA)
    return isinstance(said, dict) and said.get("state") == "succeeded"
