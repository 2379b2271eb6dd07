"""No object reaches into another one's private parts; the exceptions are names of other libraries that have no public form."""

import ast
from pathlib import Path

import pytest

import ipybgjobs

PACKAGE = Path(ipybgjobs.__file__).parent

#: Names of the standard library and of ipykernel that begin with an underscore, and that are documented or have no other form.
FOREIGN = {
    "_exit": "os: documented",
    "_xoptions": "sys: documented",
    "_ncallbacks": "atexit: `os._exit` skips what is registered there",
    "_run_exitfuncs": "atexit: likewise",
    "_replace": "namedtuple: documented",
    "_actions": "argparse: it lists its options nowhere else",
    "_schedule_flush": "ipykernel's stream",
    "_buffer_lock": "ipykernel's stream",
    "_buffers": "ipykernel's stream",
    "_reply_subshell_for": "ipykernel's comm",
}


def modules():
    return sorted(PACKAGE.rglob("*.py"))


def is_private(name):
    return name.startswith("_") and not name.endswith("__") and name != "_"


def defined_by(cls):
    """The names that a class gives itself or its instances."""
    names = {node.name for node in cls.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
    for node in ast.walk(cls):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_own(node.value):
            names.add(node.attr)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


def is_own(value):
    """Whether an expression is the object itself, its class, or what it inherits."""
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id in {"super", "type"}
    return isinstance(value, ast.Name) and value.id in {"self", "cls"}


def reaches(node, known=frozenset()):
    """Yield the private names that are used of other objects; `known`: those of the class around, which its objects share."""
    for child in ast.iter_child_nodes(node):
        inner = known | defined_by(child) if isinstance(child, ast.ClassDef) else known
        if isinstance(child, ast.Attribute) and is_private(child.attr) and not is_own(child.value) and child.attr not in inner:
            yield f"{ast.unparse(child)} (line {child.lineno})", child.attr
        yield from reaches(child, inner)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_what_is_private_is_used_only_by_its_own_class(path):
    assert [where for where, name in reaches(ast.parse(path.read_text())) if name not in FOREIGN] == []


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_imports_a_private_name_of_another(path):
    froms = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    ours = [node for node in froms if node.level or (node.module or "").startswith("ipybgjobs")]
    assert [alias.name for node in ours for alias in node.names if is_private(alias.name)] == []


def test_each_exception_is_still_needed():
    used = {name for path in modules() for _, name in reaches(ast.parse(path.read_text()))}
    assert FOREIGN.keys() <= used


def test_a_reach_is_found_and_ones_own_is_none():
    code = "class A:\n    def __init__(self): self._x = 1\n    def __eq__(self, other): return self._x == other._x\n"
    code += "def f(a): return a._x, a.b._y, a.__class__\n"
    assert [name for _, name in reaches(ast.parse(code))] == ["_x", "_y"]
