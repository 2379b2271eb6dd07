"""Read a target's signature from the source of its class or function, without importing or running any of it.

It answers only where the text leaves no doubt that importing would give the same signature; otherwise another source answers.
"""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from . import definition_text, plain_annotations, resolve
from .allowlist import Permission
from .binding import Signature
from .definition_text import ClassText, Definition, Definitions
from .module_text import ModuleText, ModuleTexts
from .scope_text import NotPlain
from .target_signature import TargetSignature


class TextAnswer(NamedTuple):
    """A signature, and what it was read from."""

    signature: TargetSignature
    stamps: tuple[list[Any], ...]  #: of the files, as `bytecode.source_of`
    files: tuple[tuple[str, str], ...]  #: each module with its file


def read(permission: Permission, path: Sequence[str]) -> TextAnswer | None:
    """Read the signature of an allowed target; None if the text does not tell.

    Parameters
    ----------
    permission : Permission
        The allowed target.
    path : sequence of str
        The job's import path.
    """
    folder = permission.entry.only_from
    texts = ModuleTexts(path if folder is None else [folder, *path])
    try:
        signature = _signature(Definitions(texts), texts, permission)
    except (NotPlain, RecursionError):
        return None
    return TextAnswer(signature, texts.stamps, texts.files)


def _signature(definitions: Definitions, texts: ModuleTexts, permission: Permission) -> TargetSignature:
    module_name, names = _split(texts, permission.entry.key)
    _check_folder(texts, module_name, permission.entry.only_from)
    module = definitions.module(module_name)
    if not names:
        return _of_function(definitions, module, permission.method)
    owner = _class(definitions, module, names)
    if not _is_inside(owner.definition.module.file, permission.entry.only_from):
        raise NotPlain(owner.definition.name)
    return _of_class(definitions, owner, permission.method)


def _split(texts: ModuleTexts, key: str) -> tuple[str, list[str]]:
    """Return the module of a key, and the names in it; a submodule takes precedence over a name of its package."""
    parts = key.split(".")
    length = 1
    while length < len(parts) and texts.spec(".".join(parts[: length + 1])) is not None:
        length += 1
    return ".".join(parts[:length]), parts[length:]


def _check_folder(texts: ModuleTexts, name: str, folder: str | None) -> None:
    """Check that a module and its packages are in the one folder that is allowed; what is not, another source refuses."""
    parts = name.split(".")
    for length in range(1, len(parts) + 1) if folder is not None else ():
        spec = texts.spec(".".join(parts[:length]))
        found = [] if spec is None else [spec.origin] if spec.origin else list(spec.submodule_search_locations or ())
        if not found or (length == 1 and spec is not None and spec.origin is None):
            raise NotPlain(name)
        if not all(_is_inside(str(each), folder) for each in found):
            raise NotPlain(name)


def _is_inside(file: str, folder: str | None) -> bool:
    return folder is None or os.path.realpath(file).startswith(os.path.join(folder, ""))


def _class(definitions: Definitions, module: ModuleText, names: Sequence[str]) -> ClassText:
    """Return a class of a module, which may stand within others."""
    first, *others = names
    found = definitions.read_class(_known(definitions.named(module, first), first))
    for name in others:
        found = definitions.read_class(_known(definitions.member(found, name), name))
    return found


def _known(definition: Definition | None, name: str) -> Definition:
    if definition is None:
        raise NotPlain(name)
    return definition


def _of_function(definitions: Definitions, module: ModuleText, name: str) -> TargetSignature:
    definition = _known(definitions.named(module, name), name)
    statement, decorator = definition_text.function(definition)
    if decorator is not None:
        raise NotPlain(name)
    what = f"{module.name}.{name}()"
    takes = plain_annotations.signature(what, statement, definition.meaning, skip_first=False)
    return TargetSignature(module.name, name, needs_instance=False, constructor=None, parameters=takes, source=module.file)


def _of_class(definitions: Definitions, owner: ClassText, method: str) -> TargetSignature:
    name = owner.definition.name
    definition = _known(definitions.member(owner, method), method)
    statement, decorator = definition_text.function(definition)
    needs_instance = decorator is None
    return TargetSignature(
        name=name,
        method=method,
        needs_instance=needs_instance,
        constructor=_constructor(definitions, owner) if needs_instance else None,
        parameters=plain_annotations.signature(
            f"{name}.{method}()", statement, definition.meaning, skip_first=decorator != "staticmethod"
        ),
        source=owner.definition.module.file,
        hooks=tuple(each for each in resolve.HOOKS if _has_function(definitions, owner, each)),
    )


def _constructor(definitions: Definitions, owner: ClassText) -> Signature:
    what = f"The constructor {owner.definition.name}()"
    definition = definitions.member(owner, "__init__")
    if definition is None:
        return Signature(what, (), takes_any_name=False)
    statement, decorator = definition_text.function(definition)
    if decorator is not None:
        raise NotPlain("__init__")
    return plain_annotations.signature(what, statement, definition.meaning, skip_first=True)


def _has_function(definitions: Definitions, owner: ClassText, name: str) -> bool:
    definition = definitions.member(owner, name)
    if definition is not None:
        definition_text.function(definition)
    return definition is not None
