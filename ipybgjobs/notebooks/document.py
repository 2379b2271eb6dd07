"""A notebook as a document: read and checked, its outputs left behind; its code cells, and the headings above them.

It runs nothing and writes nothing.
"""

import json
import os
from typing import Any, NamedTuple

from ..errors import InvalidParameters

#: The major version of the format that is run.
VERSION = 4

#: Under this name the metadata of an output, and of its cells, say what we know.
METADATA = "ipybgjobs"

PARAMETERS = "parameters"
INJECTED = "injected-parameters"
SETUP = "setup"


class CodeCell(NamedTuple):
    """A cell that is run."""

    place: int  #: among all cells
    number: int  #: among the cells that are run, from 1
    heading: str  #: the nearest one above it; empty where there is none
    cell: Any

    @property
    def tags(self) -> list[str]:
        """The cell's tags."""
        return list(self.cell.metadata.get("tags", []))


def load(path: str) -> bytes:
    """Read a notebook file, without its outputs, as text that `parse` takes.

    Raises
    ------
    InvalidParameters
        If there is none, or it is no notebook that can be run.
    """
    content = _read(path)
    for cell in content["cells"]:
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            cell |= {"outputs": [], "execution_count": None}
    text = json.dumps(content).encode()
    _check(path, text)
    return text


def _read(path: str) -> dict[str, Any]:
    if _is_special(path):
        raise InvalidParameters(f"{path} is no notebook: it is no regular file.")
    try:
        with open(path, "rb") as file:
            content = json.loads(file.read())
    except OSError as error:
        raise InvalidParameters(f"There is no notebook {path} that can be read: {error.strerror}.") from None
    except ValueError:
        raise InvalidParameters(f"{path} is no notebook: it holds no JSON.") from None
    version = content.get("nbformat") if isinstance(content, dict) else None
    if isinstance(version, int) and version < VERSION:
        raise InvalidParameters(
            f"{path} has the old format {version} of notebooks: upgrade it by "
            f"`jupyter nbconvert --to notebook --nbformat {VERSION} --inplace {os.path.basename(path)}`."
        )
    if version != VERSION or not isinstance(content.get("cells"), list):
        said = "has no nbformat and cells" if version is None or version == VERSION else f"has the format {version!r}"
        raise InvalidParameters(f"{path} is no notebook that can be run: it {said}, where one of format {VERSION} is needed.")
    return dict(content)


def _is_special(path: str) -> bool:
    """Whether reading it might never end: a pipe, a device."""
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def _check(path: str, text: bytes) -> None:
    import nbformat

    try:
        nbformat.validate(parse(text))
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        name = reason.strip("'")
        reason = f"a part of it has no {name}" if name.isidentifier() else reason  # of a KeyError, an AttributeError
        raise InvalidParameters(f"{path} is no valid notebook: {reason}.") from None


def author(path: str) -> str | None:
    """Return the uid of the job that wrote a notebook, empty where it ran outside of one; None where none of ours did."""
    if _is_special(path):
        return None
    try:
        with open(path, "rb") as file:
            said = json.loads(file.read())["metadata"][METADATA]
            return str(said["job"] or "")
    except (OSError, ValueError, KeyError, TypeError):
        return None


def parse(text: bytes) -> Any:
    """Return the notebook as nbformat's object, every cell with an id where its format has one."""
    from nbformat import v4
    from nbformat.validator import normalize

    return normalize(v4.reads(text.decode()))[1]


def code_cells(notebook: Any) -> list[CodeCell]:
    """The cells that are run, in order."""
    found: list[CodeCell] = []
    heading = ""
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            heading = _last_heading(cell.source) or heading
        elif cell.cell_type == "code" and cell.source.strip():
            found.append(CodeCell(index, len(found) + 1, heading, cell))
    return found


def _last_heading(text: str) -> str:
    """The last heading of a markdown text, fenced code left aside."""
    found, fenced = "", False
    for line in text.splitlines():
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        marks = len(line) - len(line.lstrip("#"))
        if not fenced and 0 < marks <= 6 and line[marks : marks + 1].isspace():  # noqa: PLR2004 - markdown has six levels
            found = line[marks:].strip().rstrip("#").strip()
    return found


def tagged(notebook: Any, tag: str) -> int | None:
    """The index of the first code cell with a tag; None where there is none."""
    indices = (i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code" and tag in cell.metadata.get("tags", []))
    return next(indices, None)
