"""Analyse the code of a cell before it runs: whether it is Python, which names it reads and sets, and the title of its job.

It compiles the code, and never runs it.
"""

import ast
import builtins
import dis
import os
import re
import types
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from ..errors import InvalidParameters
from ..model import ipython_syntax, redaction
from ..system import interrupt_shield

_LOADS = ("LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS")
_STORES = ("STORE_NAME", "STORE_GLOBAL")

#: One or several cell magics whose body is Python that runs in the cell's namespace.
_PYTHON_MAGICS = re.compile(r"(?:\s*+%%(?:time|timeit|capture|prun)(?: [^\n]*+)?\n)++")

#: Line magics that set names that the code does not show.
_SETTING = ("run", "pylab", "load_ext", "time", "prun", "store")


class CellCode(Struct, frozen=True):
    """The code of a cell.

    Parameters
    ----------
    text : str
        The text of the cell.
    reads : frozenset of str
        Names that it reads before it sets them.
    sets : frozenset of str
        Names that it sets.
    certain : bool
        Whether these are all names: no star import or magic may set others.
    """

    text: str
    reads: frozenset[str]
    sets: frozenset[str]
    certain: bool

    @property
    def comment(self) -> str | None:
        """The comment that it begins with, cut; None if there is none, or if it can't be the name of a job."""
        first = next((line.strip() for line in self.text.splitlines() if line.strip()), "")
        comment = redaction.cut(redaction.one_line(first.lstrip("#% "))) if first.startswith("#") else ""
        return None if not comment or comment.isdigit() else comment

    def title(self, number: int, notebook: str | None) -> str:
        """Return the name of its job: the comment that it begins with, or which cell of which notebook it is."""
        where = "" if notebook is None else f" of {redaction.cut(redaction.one_line(os.path.basename(notebook)))}"
        return self.comment or f"cell [{number}]{where}"

    def check(self, variables: Mapping[str, Any], sent: Collection[str], wanted: Sequence[str]) -> None:
        """Check that the variables that the cell reads are sent, and that it sets those that it brings back.

        Parameters
        ----------
        variables : mapping
            The notebook's variables.
        sent : collection of str
            Names of those that are sent.
        wanted : sequence of str
            Names that are to come back.

        Raises
        ------
        InvalidParameters
            If a name is not sent, or not set.
        """
        names = self.reads if self.certain else frozenset[str]()
        left = sorted(name for name in names - set(sent) if name in variables and not _is_builtin(name, variables[name]))
        if left:
            raise InvalidParameters(_not_sent(left, variables))
        unset = [name for name in wanted if self.certain and name not in self.sets and name not in sent]
        if unset:
            raise InvalidParameters(f"--out {','.join(unset)}: the cell does not set {', '.join(unset)}.")


def _is_builtin(name: str, value: Any) -> bool:
    return getattr(builtins, name, _is_builtin) is value


def _not_sent(names: Sequence[str], variables: Mapping[str, Any]) -> str:
    imports = [f"`{_import_of(name, variables[name])}`" for name in names if isinstance(variables[name], types.ModuleType)]
    others = [name for name in names if not isinstance(variables[name], types.ModuleType)]
    fixes = [f"begin the cell with {', '.join(imports)}"] if imports else []
    fixes += [f"add --in {','.join(others)}"] if others else []
    verb = "are" if len(names) > 1 else "is"
    return f"The cell uses {', '.join(names)} from the notebook, which {verb} not sent to the job: {' and '.join(fixes)}."


def _import_of(name: str, module: types.ModuleType) -> str:
    return f"import {name}" if module.__name__ == name else f"import {module.__name__} as {name}"


def read(text: str) -> CellCode:
    """Read the code of a cell.

    Raises
    ------
    InvalidParameters
        If there is none, or it is not valid Python.
    """
    try:
        tree, code = interrupt_shield.run(lambda: _compiled(text))  # otherwise an interrupt could leave all warnings ignored
    except (SyntaxError, ValueError, RuntimeError, MemoryError, OverflowError) as error:  # too deep, or too many magics
        raise InvalidParameters(_fault(error)) from None
    if not tree.body:
        raise InvalidParameters("The %%bgjob cell is empty: add the code to run below the first line.")
    reads, sets = _names(code)
    body = _body(text)
    if body is not None:
        inner = read(body)
        return CellCode(text, inner.reads, inner.sets, inner.certain)
    return CellCode(text, frozenset(reads), frozenset(sets), certain=not any(map(_may_bring_names, ast.walk(tree))))


def _compiled(text: str) -> tuple[ast.Module, types.CodeType]:
    python = ipython_syntax.as_python(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the job will warn
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        tree: ast.Module = compile(python, "<cell>", "exec", flags | ast.PyCF_ONLY_AST, dont_inherit=True)
        return tree, compile(tree, "<cell>", "exec", flags, dont_inherit=True)


def _fault(error: Exception) -> str:
    if not isinstance(error, SyntaxError):
        return f"The cell is not valid Python: {error or type(error).__name__}."
    where = f" on line {error.lineno} of the code" if error.lineno else ""
    line = f": {redaction.cut(redaction.one_line(error.text.strip()))}" if error.text and error.text.strip() else ""
    return f"The cell is not valid Python: {error.msg}{where}{line}"


def _body(text: str) -> str | None:
    """Return the Python below cell magics that run it; None if there is no such magic."""
    magics = _PYTHON_MAGICS.match(text)
    return text[magics.end() :] if magics and not text[magics.end() :].isspace() and len(text) > magics.end() else None


def _may_bring_names(node: ast.AST) -> bool:
    """Return whether a node may set names that its code does not show."""
    if isinstance(node, ast.ImportFrom):
        return node.names[0].name == "*"
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    magic = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
    return node.func.attr == "run_cell_magic" or (node.func.attr == "run_line_magic" and magic in _SETTING)


def _names(code: types.CodeType) -> tuple[set[str], set[str]]:
    """Return the names that a module's code reads before it sets them, and those that it sets."""
    reads, sets = _order(code)
    inner = [(each, *_order(each)) for each in _nested(code)]
    declared = {name for each, _, stored in inner if _is_function(each) for name in stored}  # global there
    sets |= declared
    return (reads - declared) | {name for _, loaded, _ in inner for name in loaded if name not in sets}, sets


def _order(code: types.CodeType) -> tuple[set[str], set[str]]:
    reads: set[str] = set()
    sets: set[str] = set()
    for step in dis.get_instructions(code):
        if step.opname in _STORES:
            sets.add(step.argval)
        elif step.opname in _LOADS and step.argval not in sets:
            reads.add(step.argval)
    return reads, sets


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    """Yield the functions, classes and comprehensions in a code object, at any depth."""
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield constant
            yield from _nested(constant)


def _is_function(code: types.CodeType) -> bool:
    """Return whether the names that a code object declares global belong to the module; a class keeps its own."""
    return bool(code.co_flags & 2)  # CO_NEWLOCALS
