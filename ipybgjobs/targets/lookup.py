"""Whether a target exists: what it is, or what there is in its place. It decides nothing.

The text of the source tells it without running anything; where that leaves a doubt, a process of its own may import the module.
"""

import ast
import os
import pkgutil
import sys
import types
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from msgspec import Struct

from ..errors import InvalidTarget
from ..model import suggestion
from . import definition_text, import_path, resolve, scope_text
from .definition_text import ClassText, Definition, Definitions
from .module_text import ModuleText, ModuleTexts
from .scope_text import NotPlain

#: What a dotted path names; ``missing``: nothing; ``unknown``: the text does not tell.
Kind = Literal["function", "method", "class", "module", "value", "missing", "unknown"]

#: Similarity from which on a name counts as meant: where none is missing for sure, it must be higher.
_NEAR, _NEARER = 0.6, 0.75

#: Methods of a class that run beside its jobs.
_HOOKS = frozenset({resolve.ON_SUBMIT, *resolve.HOOKS})


class Lookup(Struct, frozen=True):
    """What a dotted path names.

    Parameters
    ----------
    target : str
        The path.
    kind : Kind
        What it names.
    owner : str
        The longest part of it that exists; empty if there is no such module.
    names : tuple of str
        Public names of the owner: the methods of a class, the functions and classes of a module.
    file : str or None
        The file that defines it.
    """

    target: str
    kind: Kind
    owner: str = ""
    names: tuple[str, ...] = ()
    file: str | None = None

    @property
    def is_callable(self) -> bool:
        """Whether it is known to be a function or method."""
        return self.kind in ("function", "method")

    @property
    def is_elsewhere(self) -> bool:
        """Whether its module is not found here, so that nothing is known of it."""
        return self.kind == "missing" and not self.owner

    @property
    def is_wrong(self) -> bool:
        """Whether its module is found here, and the target is neither a function nor a method in it."""
        return self.kind in ("class", "module", "value") or (self.kind == "missing" and bool(self.owner))

    @property
    def is_file(self) -> bool:
        """Whether it is the file of a module, not its name."""
        return self.kind == "missing" and bool(self.owner) and self.target == f"{self.owner}.py"

    @property
    def reason(self) -> str:
        """Why it can't be called, as the end of a sentence; empty if it can, or if that is not known."""
        if self.is_file:
            return f"write {self.owner}.Class.method or {self.owner}.function"
        if self.kind == "missing":
            return f"{self.owner} has no {self._wrong}" if self.owner else f"there is no module {self._wrong} here"
        return {"class": "it is a class", "module": "it is a module", "value": "it can't be called"}.get(self.kind, "")

    @property
    def nearest(self) -> str:
        """The target with the name that is missing replaced by the most similar one that there is; empty if none is."""
        is_sought = self.kind == "missing" or (self.kind == "unknown" and bool(self.owner))
        cutoff = _NEAR if self.kind == "missing" else _NEARER
        near = suggestion.nearest(self._wrong, self.names, cutoff) if is_sought else None
        return "" if near is None else f"{self._begin}{near}{self.target[len(self._begin) + len(self._wrong) :]}"

    @property
    def _begin(self) -> str:
        return f"{self.owner}." if self.owner else ""

    @property
    def _wrong(self) -> str:
        return self.target[len(self._begin) :].partition(".")[0]


def by_text(target: str, path: Sequence[str] | None = None) -> Lookup:
    """Look a target up in the source along an import path; nothing is imported.

    Parameters
    ----------
    target : str
        A dotted path.
    path : sequence of str, optional
        By default, the import path of this process.
    """
    texts = ModuleTexts(import_path.absolute() if path is None else path)
    try:
        return _in_texts(target, texts, Definitions(texts))
    except (NotPlain, RecursionError):
        return Lookup(target, "unknown")


def _in_texts(target: str, texts: ModuleTexts, definitions: Definitions) -> Lookup:
    parts = target.split(".")
    if texts.spec(parts[0]) is None:
        return Lookup(target, "missing", names=_modules_here())
    length = 1
    while length < len(parts) and texts.spec(".".join(parts[: length + 1])) is not None:
        length += 1
    module = definitions.module(".".join(parts[:length]))
    if length == len(parts):
        return Lookup(target, "module", target, _names_of_module(module), module.file)
    found = definitions.named(module, parts[length])
    if found is None:
        return Lookup(target, "missing", module.name, _names_of_module(module), module.file)
    return _in_definition(target, length + 1, definitions, found)


def _in_definition(target: str, length: int, definitions: Definitions, found: Definition) -> Lookup:
    """Follow the parts of a target after the first ones into a class."""
    parts = target.split(".")
    if not isinstance(found.statement, ast.ClassDef):
        definition_text.function(found)
        if length < len(parts):
            raise NotPlain(target)
        return Lookup(target, "method" if found.around else "function", target, file=found.module.file)
    try:
        owner = definitions.read_class(found)
        member = definitions.member(owner, parts[length]) if length < len(parts) else None
        names = _names_of_class(definitions, owner)
    except NotPlain:
        return _in_doubtful_class(target, length, found)
    if length == len(parts):
        return Lookup(target, "class", target, names, found.module.file)
    if member is not None:
        return _in_definition(target, length + 1, definitions, member)
    return Lookup(target, "missing", ".".join(parts[:length]), names, found.module.file)


def _in_doubtful_class(target: str, length: int, found: Definition) -> Lookup:
    """Look into the body of a class that may have more than its text says; what it inherits is not known."""
    assert isinstance(found.statement, ast.ClassDef)
    parts, scope = target.split("."), scope_text.of_class(found.statement)
    own = {name for name, each in scope.bound.items() if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
    is_method = length == len(parts) - 1 and parts[length] in own
    return Lookup(target, "method" if is_method else "unknown", ".".join(parts[:length]), _public(own), found.module.file)


def _names_of_module(module: ModuleText) -> tuple[str, ...]:
    found = {name for name, each in module.scope.bound.items() if isinstance(each, ast.ClassDef | ast.FunctionDef)}
    return _public(found | {name for name, each in module.scope.bound.items() if isinstance(each, ast.ImportFrom) and each.level})


def _names_of_class(definitions: Definitions, owner: ClassText) -> tuple[str, ...]:
    """Return the public methods of a class, inherited or not."""
    members = ((name, definitions.member(owner, name)) for name in definitions.names(owner) if not name.startswith("_"))
    return _public(name for name, each in members if each is not None and not isinstance(each.statement, ast.ClassDef))


def _public(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(name for name in names if not name.startswith("_") and name not in _HOOKS))


def _modules_here() -> tuple[str, ...]:
    """Return the modules in the working directory."""
    try:
        return _public(each.name for each in pkgutil.iter_modules([os.getcwd()]))
    except OSError:  # the working directory no longer exists
        return ()


def targets_in(module: str) -> list[str]:
    """Return the public functions and methods that the text of a module defines, and ``Class.*`` for each class.

    Parameters
    ----------
    module : str
        Its dotted name.
    """
    texts = ModuleTexts(import_path.absolute())
    definitions = Definitions(texts)
    try:
        owner = definitions.module(module)
        names = [name for name in _names_of_module(owner) if name in owner.scope.bound]
    except (NotPlain, RecursionError):
        return []
    return [each for name in names for each in _targets_of(f"{module}.{name}", texts, definitions)]


def _targets_of(path: str, texts: ModuleTexts, definitions: Definitions) -> list[str]:
    try:
        found = _in_texts(path, texts, definitions)
    except (NotPlain, RecursionError):
        return [path]
    if found.is_callable:
        return [path]
    return [f"{path}.*", *(f"{path}.{name}" for name in found.names)] if found.names else []


def by_import(target: str) -> Lookup:
    """Look a target up by importing its module; only in a process of its own.

    Raises
    ------
    InvalidTarget
        If the module can't be imported.
    """
    parts, found = target.split("."), None
    for length in range(1, len(parts) + 1):
        try:
            following = resolve.resolve(".".join(parts[:length]))
        except InvalidTarget as error:
            if error.__cause__ is not None:
                raise  # its import failed
            return _without(target, ".".join(parts[: length - 1]), found)
        owner, found = found, following
    kind: Kind = _kind(found, owner)
    names = _names_of(found) if kind in ("class", "module") else ()
    return Lookup(target, kind, target, names, _file_of(found))


def _file_of(found: Any) -> str | None:
    """Return the file that defines a module, class or function; None if there is none."""
    module = found if isinstance(found, types.ModuleType) else sys.modules.get(getattr(found, "__module__", None) or "")
    return resolve.source_file(module)


def _without(target: str, owner: str, found: Any) -> Lookup:
    names = _names_of(found) if owner else _modules_here()
    return Lookup(target, "missing", owner, names, resolve.source_file(found) if owner else None)


def _kind(found: Any, owner: Any) -> Kind:
    if isinstance(found, types.ModuleType):
        return "module"
    if isinstance(found, type):
        return "class"
    if not callable(found):
        return "value"
    return "method" if isinstance(owner, type) else "function"


def _names_of(found: Any) -> tuple[str, ...]:
    """Return the public methods of a class, or the functions and classes that a module defines."""
    if isinstance(found, type):
        return _public(name for name in dir(found) if _is_method(found, name))
    own = getattr(found, "__name__", None)
    kinds = (type, types.FunctionType)
    return _public(name for name, each in vars(found).items() if isinstance(each, kinds) and each.__module__ == own)


def _is_method(owner: type, name: str) -> bool:
    try:
        attribute = resolve.static_attribute(owner, name)
    except InvalidTarget:  # an attribute of its metaclass
        return False
    is_bound = isinstance(attribute, staticmethod | classmethod)
    return is_bound or (callable(attribute) and not isinstance(attribute, type))
