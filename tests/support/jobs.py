"""The modules of jobs in `tests/jobs`: their text, and the functions in them."""

import ast
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "jobs"


def module_text(name: str) -> str:
    """Read a module."""
    return (FOLDER / f"{name}.py").read_text()


def functions(name: str) -> list[str]:
    """The names of a module's functions, in their order."""
    return [each.name for each in ast.parse(module_text(name)).body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
