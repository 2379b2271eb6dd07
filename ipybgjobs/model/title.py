"""How a job is titled where its call says little: a notebook by its file name, a cell by its name. Pure functions."""

import os
from typing import Any

from .call import Call
from .redaction import cut, one_line

#: Targets of this package whose calls are shown otherwise than as code.
CELL_RUN, NOTEBOOK_RUN = "ipybgjobs.Cell.run", "ipybgjobs.Notebook.run"


def of_job(name: str | None, call: Call) -> str:
    """Return what a list shows of a job: its name, and its call unless one says the same as the other."""
    shown, code = one_line(name or ""), of_call(call)
    if call.target == CELL_RUN:
        return shown or code
    return code if code.startswith(shown) else f"{shown} · {code}"


def in_sentence(name: str | None, call: Call) -> str:
    """Return what a message calls a job: its target; a notebook or a cell by its title."""
    return of_job(name, call) if call.target in (CELL_RUN, NOTEBOOK_RUN) else call.target


def of_call(call: Call) -> str:
    """Return a call on one line: as code, a notebook as ``name.ipynb(key=value)``, a cell as its first line."""
    if call.target == NOTEBOOK_RUN and isinstance(call.params.get("path"), str):
        return _notebook(call.shown("params"))
    if call.target == CELL_RUN and isinstance(call.params.get("code"), str):
        return _first_line(str(call.shown("params")["code"]))
    return str(call)


def _notebook(params: dict[str, Any]) -> str:
    given = params.get("parameters")
    values = ", ".join(f"{key}={cut(repr(value))}" for key, value in given.items()) if isinstance(given, dict) else ""
    name = os.path.basename(params["path"])
    return one_line(f"{name}({values})" if values else name)


def _first_line(code: str) -> str:
    return cut(one_line(next((line.strip() for line in code.splitlines() if line.strip()), ""))) or "cell"
