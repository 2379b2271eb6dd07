"""What the text of a module or of a class binds, read from its syntax tree: nothing of it is run.

A name is plain if one statement, which always runs, binds it; of any other name only running the text could tell what it is.
"""

import ast
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from msgspec import Struct

#: A statement that binds a name plainly.
Statement: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom

#: What can bind or change names that no statement shows.
_DYNAMIC = frozenset({"__import__", "delattr", "eval", "exec", "globals", "locals", "setattr", "vars"})

#: Names that a text may bind although Python gives them a meaning: they change nothing that is read here.
_HARMLESS = frozenset(
    {"__all__", "__author__", "__copyright__", "__date__", "__doc__", "__license__", "__slots__", "__version__"}
)


class NotPlain(Exception):  # noqa: N818 - no error: only running the text could tell
    """A text does not tell; the message says which part."""


class ScopeText(Struct, frozen=True):
    """The names that the body of a module or class binds.

    Parameters
    ----------
    bound : mapping of str to Statement or None
        The statement of each plain name; None for a name that is not plain.
    changed : frozenset of str
        Names whose values other statements pass on or change.
    is_open : bool
        Whether names may be bound that no statement shows.
    """

    bound: Mapping[str, Statement | None]
    changed: frozenset[str]
    is_open: bool

    def statement(self, name: str) -> Statement | None:
        """Return the statement that binds a name; None if none does.

        Raises
        ------
        NotPlain
            If the text does not tell.
        """
        if self.is_open or (name in self.bound and self.bound[name] is None):
            raise NotPlain(name)
        return self.bound.get(name)

    def value(self, name: str) -> Statement | None:
        """Return the statement that binds a name whose value nothing else changes.

        Raises
        ------
        NotPlain
            If the text does not tell.
        """
        if name in self.changed:
            raise NotPlain(name)
        return self.statement(name)


def of_module(tree: ast.Module) -> ScopeText:
    """Return what the text of a module binds, also from within its functions."""
    reader = _read(tree.body)
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            for name in node.names:
                reader.bind(name)
    return reader.scope()


def of_class(statement: ast.ClassDef) -> ScopeText:
    """Return what the body of a class binds."""
    return _read(statement.body).scope()


def _is_ordinary(name: str) -> bool:
    is_special = name.startswith("__") and name.endswith("__")
    return not is_special or name in _HARMLESS or name == "__init__"


class _Reader(ast.NodeVisitor):
    """Visits what runs when the body runs, and notes what it binds."""

    def __init__(self) -> None:
        self.bound: dict[str, list[Statement | None]] = {}
        self.changed: set[str] = set()
        self.is_open = False
        self._depth = 0  #: of statements that may not run, or run more than once

    def scope(self) -> ScopeText:
        """Return what was noted."""
        plain = {
            name: statements[0] if len(statements) == 1 and _is_ordinary(name) else None
            for name, statements in self.bound.items()
        }
        return ScopeText(plain, frozenset(self.changed), self.is_open)

    def bind(self, name: str, statement: Statement | None = None) -> None:
        """Note that a name is bound."""
        self.bound.setdefault(name, []).append(None if self._depth else statement)

    # -- statements that bind plainly

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.bind(node.name, node)
        for each in (*node.decorator_list, node.args, *filter(None, [node.returns])):
            self.visit(each)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - the name that `ast` calls

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.bind(node.name, node)
        for each in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(each)
        inner = _read(node.body)
        self.changed |= inner.changed - inner.bound.keys()
        self.is_open |= inner.is_open

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.bind(alias.asname or alias.name.partition(".")[0], node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            self.is_open |= alias.name == "*"
            self.bind(alias.asname or alias.name, node)

    # -- what else binds or changes

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load):
            self.bind(node.id)
        elif node.id in _DYNAMIC:
            self.is_open = True

    def visit_Attribute(self, node: ast.Attribute) -> None:
        root = _root(node)
        if not isinstance(node.ctx, ast.Load):
            self._change(root)
        if node.attr == "modules" and root == "sys":
            self.is_open = True
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        given = [*node.args, *(each.value for each in node.keywords)]
        called = [node.func] if isinstance(node.func, ast.Attribute) else []
        for each in (*given, *called):
            self._change(_root(each))
        self.generic_visit(node)

    def _change(self, name: str | None) -> None:
        if name is not None:
            self.changed.add(name)

    def visit_Assign(self, node: ast.Assign) -> None:
        self._change(_root(node.value))  # another name for the same class may be used to change it
        self.generic_visit(node)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self.bind(node.name)
        self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs | ast.MatchStar) -> None:
        if node.name:
            self.bind(node.name)
        self.generic_visit(node)

    visit_MatchStar = visit_MatchAs  # noqa: N815 - the name that `ast` calls

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        if node.rest:
            self.bind(node.rest)
        self.generic_visit(node)

    # -- statements that may not run

    def visit_If(self, node: ast.If) -> None:
        if _is_main(node.test):
            self._within(node.orelse)  # never run by an import
        else:
            self.visit(node.test)
            self._within([*node.body, *node.orelse])

    def _within(self, nodes: Iterable[ast.AST]) -> None:
        self._depth += 1
        for node in nodes:
            self.visit(node)
        self._depth -= 1

    def _visit_block(self, node: ast.AST) -> None:
        self._within(ast.iter_child_nodes(node))

    visit_For = visit_AsyncFor = visit_While = visit_Try = visit_TryStar = _visit_block  # noqa: N815
    visit_With = visit_AsyncWith = visit_Match = _visit_block  # noqa: N815


def _read(body: Iterable[ast.stmt]) -> _Reader:
    reader = _Reader()
    for statement in body:
        reader.visit(statement)
    return reader


def _root(node: ast.AST) -> str | None:
    """Return the name that a chain of attributes begins with."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _is_main(test: ast.expr) -> bool:
    return ast.unparse(test) in ("__name__ == '__main__'", "'__main__' == __name__")
