"""Find the cells of an earlier output that are still valid: those from the top that succeeded and have not changed since.

It reads the earlier output, and runs and writes nothing.
"""

from typing import Any

from . import document
from .document import METADATA, CodeCell

#: Tags of cells that run again even if they succeeded, since the others need their variables.
ALWAYS = {document.PARAMETERS, document.INJECTED, document.SETUP}


def finished(cells: list[CodeCell], shown: dict[int, str], path: str) -> list[CodeCell]:
    """Return those of `cells` that need not run again, with their earlier outputs.

    Parameters
    ----------
    cells : list of CodeCell
        The cells to run.
    shown : dict of int to str
        Sources that an output shows instead of theirs, by index.
    path : str
        The earlier output; if it is not one, nothing is finished.
    """
    same = []
    for cell, before in zip(cells, _cells_of(path), strict=False):  # up to the shorter one
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
        return []  # not written by an earlier attempt


def mark(cell: Any, state: str | None) -> None:
    """Record in a cell's metadata how it ended; None: not yet."""
    if state is None:
        cell.metadata.pop(METADATA, None)
    else:
        cell.metadata[METADATA] = {"state": state}


def has_succeeded(cell: Any) -> bool:
    """Return whether a cell is marked as succeeded."""
    said = cell.metadata.get(METADATA)
    return isinstance(said, dict) and said.get("state") == "succeeded"
