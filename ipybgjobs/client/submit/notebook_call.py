"""A notebook's file as a target: ``train.ipynb alpha=0.1`` is a call of `ipybgjobs.Notebook.run` with that path and parameter.

It reads no notebook, and decides nothing: the class's own ``on_submit`` and the allowlist do.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ...configuration.settings import NOTEBOOK_CLASS
from . import options

#: What runs a notebook.
TARGET = f"{NOTEBOOK_CLASS}.run"

#: Its parameters besides the notebook's path and parameters.
OWN = frozenset({"output", "kernel", "resume"})

_SUFFIX = ".ipynb"


def is_notebook(target: object) -> bool:
    """Return whether a target is the file of a notebook."""
    return isinstance(target, str) and target.endswith(_SUFFIX)


def params(path: str, given: Mapping[str, Any] | None, **own: Any) -> dict[str, Any]:
    """Return the parameters of `TARGET`.

    Parameters
    ----------
    path : str
        The notebook.
    given : mapping or None
        The notebook's parameters.
    **own
        Parameters of `TARGET` itself: ``output``, ``kernel``, ``resume``.

    Raises
    ------
    InvalidParameters
        If the parameters are not a mapping of names.
    """
    parameters = options.mapping(given, "params")
    return {"path": path, **({"parameters": parameters} if parameters else {}), **own}


def calls(given: Iterable[Mapping[str, Any]], common: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return the calls of a group of jobs that run one notebook, without its path; `common`: parameters that they share.

    Raises
    ------
    InvalidParameters
        If they are not a list of mappings of names, or name a parameter twice.
    """
    shared = options.mapping(common, "common")
    every = [options.mapping(each, f"call {number}") for number, each in enumerate(options.calls(given))]
    options.check_not_twice(shared, every)
    return [{"parameters": {**shared, **each}} for each in every]
