"""The import of nbformat, without the seconds that it takes where the optional grammar of URIs is installed."""

import contextlib
import importlib
import importlib.util
import sys
import types
from collections.abc import Iterator
from typing import Any

#: What jsonschema, which nbformat imports, builds its grammar of URIs with; no notebook's format needs that.
_GRAMMAR = "rfc3987_syntax"


def load() -> Any:
    """Return nbformat; if it is imported for the first time, the grammar is built only once someone uses it."""
    if "nbformat" not in sys.modules:
        with _late_grammar():
            importlib.import_module("nbformat.v4")
    return importlib.import_module("nbformat")


@contextlib.contextmanager
def _late_grammar() -> Iterator[None]:
    """Stand in for the grammar's module, which is imported when its one function is called."""
    if {_GRAMMAR, "jsonschema"} & sys.modules.keys() or importlib.util.find_spec(_GRAMMAR) is None:
        yield
        return
    stand_in = types.ModuleType(_GRAMMAR)
    vars(stand_in)["is_valid_syntax"] = _is_valid_syntax
    sys.modules[_GRAMMAR] = stand_in
    try:
        yield
    finally:
        if sys.modules.get(_GRAMMAR) is stand_in:
            del sys.modules[_GRAMMAR]


def _is_valid_syntax(term: str, text: str) -> Any:
    return importlib.import_module(_GRAMMAR).is_valid_syntax(term, text)
