"""Notebooks as jobs: written, allowed, submitted and read."""

from pathlib import Path

import nbformat
import papermill
from nbformat import v4

import ipybgjobs as bg

RUN = "ipybgjobs.Notebook.run"


NATIVE = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


#: Notebooks that others have written.
OTHERS = Path(papermill.__file__).parent / "tests" / "notebooks"


def code(source, *tags):
    return v4.new_code_cell(source, metadata={"tags": list(tags)} if tags else {})


def text(source):
    return v4.new_markdown_cell(source)


def write(place, *cells, name="train.ipynb", **metadata):
    """Write a notebook; return its path."""
    path = place.code / name
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(v4.new_notebook(cells=list(cells), metadata=metadata or NATIVE), path)
    return path


def allow(place, *patterns, **settings):
    patterns = patterns or (f"{place.root}/**/*.ipynb", f"{OTHERS}/*.ipynb")
    place.allow(
        {"ipybgjobs.Notebook": ["run"]},
        BackgroundJobs__allowed_notebooks=list(patterns),
        BackgroundJobs__kill_grace_seconds=30,
        **settings,
    )


def submit(path, **params):
    options = {name: params.pop(name) for name in ("timeout", "retry") if name in params}
    return bg.submit(RUN, {"path": str(path), **params}, **options)


def read(path):
    """Read an output, which is valid at every moment."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def printed(notebook):
    """What each code cell has printed and how it has looked."""
    return [
        "".join(output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]
