"""What the names of modules stand for, read from their texts: functions, and classes with all that they inherit.

It follows ``from`` imports and bases from module to module, and runs nothing. A class that may be other than its text says
(by a decorator, a metaclass, a statement that changes it) is not plain.
"""

import ast
from collections.abc import Iterable
from typing import TypeAlias

from msgspec import Struct

from . import resolve, scope_text
from .module_text import ModuleText, ModuleTexts
from .scope_text import NotPlain, ScopeText, Statement

#: Names by which a class decides what calling it or inheriting from it does.
_DECIDING = ("__new__", "__init_subclass__", "__getattribute__", "__signature__", "__text_signature__", resolve.ON_SUBMIT)

#: Names by which a module decides what its other names are.
_LEADING = ("__getattr__", "__name__", "__file__", "__path__", "__class__", "__annotations__", "__builtins__")

#: Most imports between a name and what it stands for, and most classes above one.
_DEEPEST = 50

FunctionStatement: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


class Definition(Struct, frozen=True):
    """A class or function, and where its text stands.

    Parameters
    ----------
    module : ModuleText
        The module that defines it.
    statement : Statement
        Its statement.
    name : str
        Its name, with those of the classes around it.
    around : tuple of ScopeText
        What these classes bind, the innermost last.
    """

    module: ModuleText
    statement: Statement
    name: str
    around: tuple[ScopeText, ...] = ()

    def meaning(self, name: str) -> str:
        """Return the dotted path of what a name in the statement stands for, if it is imported or built in.

        Raises
        ------
        NotPlain
            If the text does not tell.
        """
        if any(name in scope.bound or scope.is_open for scope in self.around):
            raise NotPlain(name)
        found = self.module.scope.statement(name)
        if found is None:
            return f"builtins.{name}"
        if isinstance(found, ast.Import):
            return next((each.name for each in found.names if each.asname == name), name)
        if isinstance(found, ast.ImportFrom):
            return f"{self.module.absolute(found.level, found.module)}.{_imported(found, name)}"
        raise NotPlain(name)


class ClassText(Struct, frozen=True):
    """A class.

    Parameters
    ----------
    definition : Definition
        Where it stands.
    scope : ScopeText
        What its body binds.
    stand_in : type
        An empty class with stand-ins of the same bases, so that Python says in which order they are searched.
    """

    definition: Definition
    scope: ScopeText
    stand_in: type

    def member(self, statement: Statement) -> Definition:
        """Return the definition of a statement of its body."""
        around = (*self.definition.around, self.scope)
        return Definition(self.definition.module, statement, f"{self.definition.name}.{_name(statement)}", around)


class Definitions:
    """The classes and functions that one look at a target comes across.

    Parameters
    ----------
    texts : ModuleTexts
        The modules along a job's import path.
    """

    def __init__(self, texts: ModuleTexts) -> None:
        self._texts = texts
        self._classes: dict[type, ClassText] = {}

    def module(self, name: str) -> ModuleText:
        """Return the text of a module whose names are what its statements bind.

        Raises
        ------
        NotPlain
            If the text does not tell.
        """
        text = self._texts.text(name)
        _refuse_any(_LEADING, text.scope)
        return text

    def named(self, module: ModuleText, name: str) -> Definition | None:
        """Return what a name of a module stands for, wherever it is defined; None if the module has no such name.

        Raises
        ------
        NotPlain
            If the text does not tell.
        """
        for _ in range(_DEEPEST):
            statement = module.scope.value(name)
            if not isinstance(statement, ast.ImportFrom):
                return None if statement is None else Definition(module, statement, name)
            name, source = _imported(statement, name), module.absolute(statement.level, statement.module)
            if not source or self._texts.spec(f"{source}.{name}") is not None:
                raise NotPlain(name)
            module = self.module(source)
        raise NotPlain(name)

    def read_class(self, definition: Definition, depth: int = 0) -> ClassText:
        """Read a class with its bases.

        Raises
        ------
        NotPlain
            If something else has the name, or the text does not tell all of it.
        """
        known = next((each for each in self._classes.values() if each.definition == definition), None)
        if known is not None:
            return known
        statement = definition.statement
        if not isinstance(statement, ast.ClassDef) or not _is_plain_class(statement) or depth > _DEEPEST:
            raise NotPlain(definition.name)
        scope = scope_text.of_class(statement)
        _refuse_any(_DECIDING, scope)
        bases = [self._base(definition, base, depth) for base in statement.bases]
        found = ClassText(definition, scope, _stand_in(definition.name, bases))
        self._classes[found.stand_in] = found
        return found

    def _base(self, definition: Definition, base: ast.expr, depth: int) -> type:
        """Return the stand-in of a base class."""
        if not isinstance(base, ast.Name) or any(base.id in scope.bound for scope in definition.around):
            raise NotPlain(ast.unparse(base))
        resolved = self.named(definition.module, base.id)
        if resolved is None and base.id == "object":
            return object
        if resolved is None:
            raise NotPlain(base.id)
        return self.read_class(resolved, depth + 1).stand_in

    def names(self, owner: ClassText) -> set[str]:
        """Return the names that a class has, inherited or not, except those of `object`.

        Raises
        ------
        NotPlain
            If the text does not tell.
        """
        scopes = [self._classes[each].scope for each in owner.stand_in.__mro__[:-1]]
        if any(scope.is_open for scope in scopes):
            raise NotPlain(owner.definition.name)
        return {name for scope in scopes for name in scope.bound}

    def member(self, owner: ClassText, name: str) -> Definition | None:
        """Return what a name of a class stands for, inherited or not; None if it has no such name of its own.

        Raises
        ------
        NotPlain
            If the text does not tell.
        """
        for holder in (self._classes[each] for each in owner.stand_in.__mro__[:-1]):
            statement = holder.scope.value(name)
            if statement is not None:
                return holder.member(statement)
        return None


def function(definition: Definition) -> tuple[FunctionStatement, str | None]:
    """Return the statement of a function that returns when it is called, and its only decorator, a built-in one.

    Raises
    ------
    NotPlain
        If it is no such function.
    """
    found = definition.statement
    if not isinstance(found, FunctionStatement) or getattr(found, "type_params", None) or _yields(found):
        raise NotPlain(definition.name)
    names = [each.id if isinstance(each, ast.Name) else "" for each in found.decorator_list]
    if not names:
        return found, None
    if names not in (["classmethod"], ["staticmethod"]) or definition.meaning(names[0]) != f"builtins.{names[0]}":
        raise NotPlain(definition.name)
    return found, names[0]


def _is_plain_class(statement: ast.ClassDef) -> bool:
    return not (statement.decorator_list or statement.keywords or getattr(statement, "type_params", None))


def _refuse_any(names: Iterable[str], scope: ScopeText) -> None:
    for name in names:
        if scope.statement(name) is not None:
            raise NotPlain(name)


def _stand_in(name: str, bases: Iterable[type]) -> type:
    try:
        return type(name, tuple(bases), {})
    except TypeError as error:  # Python would refuse the class too
        raise NotPlain(name) from error


def _imported(statement: ast.ImportFrom, name: str) -> str:
    """Return the name of what a ``from`` statement binds to a name, in the module that it comes from."""
    return next((each.name for each in statement.names if (each.asname or each.name) == name), name)


def _name(statement: Statement) -> str:
    return getattr(statement, "name", "")


def _yields(node: ast.AST) -> bool:
    """Return whether a function is a generator function."""
    inner = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    body = list(getattr(node, "body", []))
    while body:
        each = body.pop()
        if isinstance(each, ast.Yield | ast.YieldFrom):
            return True
        body += [] if isinstance(each, inner) else ast.iter_child_nodes(each)
    return False
