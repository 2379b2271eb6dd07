"""A notebook as a document: read and checked, without its outputs; its code cells, and the headings above them.

It runs nothing and writes nothing.
"""

import json
import os
import warnings
from typing import Any, NamedTuple

from ..errors import InvalidParameters
from ..model import json_text, redaction
from ..model.suggestion import did_you_mean
from . import format_library

#: The major version of the format that can be run.
VERSION = 4

#: The first minor version in which cells have ids.
_FIRST_WITH_IDS = 5

#: Key of our data in the metadata of an output and of its cells.
METADATA = "ipybgjobs"

PARAMETERS = "parameters"
INJECTED = "injected-parameters"
SETUP = "setup"

#: A cell with this tag is not run, as in nbclient.
SKIPPED = "skip-execution"


class CodeCell(NamedTuple):
    """A cell to run."""

    place: int  #: among all cells
    number: int  #: among the cells to run, from 1
    heading: str  #: the nearest one above it; empty if there is none
    cell: Any

    @property
    def tags(self) -> list[str]:
        """Return the cell's tags."""
        return _tags(self.cell)


def load(path: str) -> bytes:
    """Read a notebook file without its outputs, as text for `parse`.

    Raises
    ------
    InvalidParameters
        If it does not exist, or is not a notebook that can be run.
    """
    shown = redaction.one_line(path)
    try:
        content = _read(path, shown)
        for cell in content["cells"]:
            if isinstance(cell, dict) and cell.get("cell_type") == "code":
                cell |= {"outputs": [], "execution_count": None}
        text = json.dumps(content).encode()
        _check(shown, text)
    except (json_text.TooDeep, RecursionError, MemoryError):
        raise InvalidParameters(f"{shown} can't be run: it is too deeply nested or too large.") from None
    return text


def _others(path: str) -> str:
    """Return a hint at a notebook of nearly the same name in the same folder."""
    folder, name = os.path.split(path)
    try:
        known = [each for each in os.listdir(folder) if each.endswith(".ipynb") and each.isprintable()]
    except OSError:
        return ""
    return did_you_mean(name, known)


def _read(path: str, shown: str) -> dict[str, Any]:
    if _is_special(path):
        raise InvalidParameters(f"{shown} is not a notebook: it is not a regular file.")
    try:
        with open(path, "rb") as file:
            content = json_text.parse(file.read())
    except OSError as error:
        hint = _others(path) if isinstance(error, FileNotFoundError) else ""
        raise InvalidParameters(f"The notebook {shown} can't be read: {error.strerror}.{hint}") from None
    except json_text.TooDeep:
        raise
    except ValueError:
        raise InvalidParameters(f"{shown} is not a notebook: it does not contain valid JSON.") from None
    version = content.get("nbformat") if isinstance(content, dict) else None
    if isinstance(version, int) and 0 < version < VERSION:
        return _upgraded(shown, content)
    if version != VERSION or not isinstance(content.get("cells"), list):
        said = (
            "has no nbformat or no cells"
            if version is None or version == VERSION
            else f"has the format {redaction.quoted(version)}"
        )
        raise InvalidParameters(f"{shown} can't be run: it {said}; a notebook of format {VERSION} is required.")
    return dict(content)


def _upgraded(path: str, content: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook of an older format as upgraded by nbformat, like Jupyter does when opening it."""
    nbformat = format_library.load()
    try:
        upgraded: dict[str, Any] = json.loads(nbformat.v4.writes(nbformat.reads(json.dumps(content), as_version=VERSION)))
    except Exception as error:
        reason = redaction.one_line(f"{type(error).__name__}: {error}")
        raise InvalidParameters(
            f"{path} has the old format {content['nbformat']}, which could not be upgraded: {reason}."
        ) from None
    return upgraded


def _is_special(path: str) -> bool:
    """Return whether reading it might never end, as for a pipe or a device."""
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def _check(path: str, text: bytes) -> None:
    """Check that a notebook has everything needed to run it; other deviations from the format only cause a warning."""
    nbformat = format_library.load()
    try:
        notebook = parse(text)
        for cell in notebook.cells:
            _check_cell(cell)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        name = reason.strip("'")
        reason = f"part of it has no {name}" if name.isidentifier() else reason  # from a KeyError or an AttributeError
        raise InvalidParameters(f"{path} is not a valid notebook: {reason}.") from None
    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        reason = str(error).strip().partition("\n")[0]
        warnings.warn(f"{path} is not a fully valid notebook, but is run anyway: {reason}", stacklevel=2)


def _check_cell(cell: Any) -> None:
    """Check that a cell has a type, text as its source, and metadata, as nbclient needs.

    Raises
    ------
    AttributeError, TypeError
        If it does not.
    """
    kind, source, metadata = cell.cell_type, cell.source, cell.metadata
    if not isinstance(source, str) or not isinstance(metadata, dict):
        raise TypeError(f"a {kind} cell has a source that is not text, or metadata that is not an object")


def author(path: str) -> str | None:
    """Return the uid of the job that wrote a notebook, empty if it ran outside a job; None if ipybgjobs did not write it."""
    if _is_special(path):
        return None
    try:
        with open(path, "rb") as file:
            said = json_text.parse(file.read())["metadata"][METADATA]
            return str(said["job"] or "")
    except (OSError, ValueError, KeyError, TypeError, RecursionError, MemoryError):
        return None


def source_of_tagged(path: str, tag: str) -> str | None:
    """Return the code of the first code cell with a tag; None if there is none, or the file is not a notebook."""
    if _is_special(path):
        return None
    try:
        with open(path, "rb") as file:
            cells = json_text.parse(file.read())["cells"]
        found = next(each for each in cells if each["cell_type"] == "code" and tag in each["metadata"].get("tags", ()))
        source = found["source"]
        return source if isinstance(source, str) else "".join(source)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, StopIteration, RecursionError, MemoryError):
        return None


def parse(text: bytes) -> Any:
    """Return the notebook as an nbformat object, with an id for every cell if its format has ids."""
    nbformat = format_library.load()
    notebook = nbformat.v4.reads(text.decode())
    if notebook.get("nbformat_minor", 0) < _FIRST_WITH_IDS:
        for cell in notebook.cells:
            cell.pop("id", None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # missing and duplicate ids are replaced: no action is needed
        return nbformat.validator.normalize(notebook)[1]


def code_cells(notebook: Any) -> list[CodeCell]:
    """Return the cells to run, in order."""
    found: list[CodeCell] = []
    heading = ""
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            heading = _last_heading(cell.source) or heading
        elif cell.cell_type == "code" and cell.source.strip() and SKIPPED not in _tags(cell):
            found.append(CodeCell(index, len(found) + 1, heading, cell))
    return found


def _tags(cell: Any) -> list[str]:
    """Return the tags of a cell; none if they are not a list."""
    tags = cell.metadata.get("tags")
    return list(tags) if isinstance(tags, list) else []


def _last_heading(text: str) -> str:
    """Return the last heading of a markdown text, ignoring fenced code."""
    found, fenced = "", False
    for line in text.splitlines():
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        marks = len(line) - len(line.lstrip("#"))
        if not fenced and 0 < marks <= 6 and line[marks : marks + 1].isspace():  # noqa: PLR2004 - markdown has six levels
            found = line[marks:].strip().rstrip("#").strip()
    return found


def tagged(notebook: Any, tag: str) -> int | None:
    """Return the index of the first code cell with a tag; None if there is none."""
    indices = (i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code" and tag in _tags(cell))
    return next(indices, None)
