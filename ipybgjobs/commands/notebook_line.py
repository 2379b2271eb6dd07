"""The part of a line that is about a notebook's file as the target: ``train.ipynb alpha=0.1 --output runs/``."""

import argparse
from typing import Any

from ..client.submit import notebook_call

#: Parameters of `Notebook.run` that are options where a notebook's file is the target, with their help.
_OPTIONS = {
    "output": "for a notebook: the file or folder of its output (default: beside it)",
    "kernel": "for a notebook: the name of its kernel (default: the one that it names)",
    "resume": "for a notebook: skip the cells that succeeded in the existing output",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for a notebook as the target."""
    for name, text in _OPTIONS.items():
        form: dict[str, Any] = {"action": "store_true"} if name == "resume" else {"metavar": name.upper()}
        parser.add_argument(f"--{name}", help=text, **form)


def given_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the given options for a notebook."""
    return {name: value for name in _OPTIONS if (value := getattr(arguments, name))}


def is_notebook(word: str) -> bool:
    """Return whether a word is a notebook's file, and not a parameter with one as its value."""
    return notebook_call.is_notebook(word) and not word.partition("=")[0].isidentifier()
