"""The signature of a target as a frozen value, the same whether it comes from a loaded module or from a separate process.

It inspects what was imported, and never imports or calls user code.
"""

import inspect
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from ..errors import InvalidTarget
from ..model import serialization
from . import binding, demands, portable, resolve
from .binding import Parameter, Signature


class TargetSignature(Struct, frozen=True):
    """What a target takes, and what else a submit must know about it.

    Parameters
    ----------
    name : str
        The class or module, as messages write it.
    method : str
        The method or function.
    needs_instance : bool
        Whether the class is instantiated to call the method.
    constructor, parameters : Signature or None
        What its constructor and the method take; None if Python can't tell, and for the constructor also if none
        is called.
    source : str or None
        The file that defines it.
    hooks : tuple of str
        Hooks of its class, called when a job has finished.
    demand : str or None
        What it demands beyond its entry in the allowlist, from `demands.of`.
    submit_hook : str or None
        The module that defines the class's ``on_submit``; None if it has none.
    code : dict of str to bytes
        The class or function itself, pickled, if it is sent by value.
    """

    name: str
    method: str
    needs_instance: bool
    constructor: Signature | None
    parameters: Signature | None
    source: str | None = None
    hooks: tuple[str, ...] = ()
    demand: str | None = None
    submit_hook: str | None = None
    code: dict[str, bytes] = field(default_factory=dict)

    @property
    def annotations(self) -> dict[str, str]:
        """Return the annotations that convert values, as text: by ``init.NAME``, ``params.NAME``."""
        parts = ((serialization.INIT, self.constructor), (serialization.PARAMS, self.parameters))
        return {
            serialization.key(part, each.name): each.annotation_text
            for part, takes in parts
            for each in (takes.parameters if takes else ())
            if each.annotation_text
        }

    def portable(self) -> "TargetSignature | None":
        """Return what any process can bind by, the user's types and defaults unread; None if an ``on_submit`` must be called."""
        takes = (self.constructor, self.parameters)
        if self.submit_hook is not None or self.code or not all(map(portable.is_possible, takes)):
            return None
        return replace(self, constructor=portable.signature(self.constructor), parameters=portable.signature(self.parameters))

    def described(self) -> "TargetSignature":
        """Return the same with annotations as text and without defaults, so that it can be read in any process."""
        return replace(self, constructor=_described(self.constructor), parameters=_described(self.parameters))


def _described(takes: Signature | None) -> Signature | None:
    if takes is None:
        return None
    described = (Parameter(each.name, each.annotation_text or Any, each.required, each.positional) for each in takes.parameters)
    return replace(takes, parameters=tuple(described))


def of(owner: Any, method: str, code: dict[str, bytes]) -> TargetSignature:
    """Return the signature of a loaded target.

    Parameters
    ----------
    owner : type or module
        The class, or the module of a function.
    method : str
        The name of the method or function.
    code : dict of str to bytes
        The parts of it that are sent by value.

    Raises
    ------
    InvalidTarget
        If it can't be called as a job.
    """
    name = getattr(owner, "__qualname__", owner.__name__)
    needs_instance = resolve.needs_instance(owner, method)
    constructor = _constructor(owner, name) if needs_instance else None
    function = resolve.static_attribute(owner, method) if needs_instance else getattr(owner, method)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise InvalidTarget(f"{name}.{method} is a generator function, so calling it would run nothing: return a list instead.")
    return TargetSignature(
        name=name,
        method=method,
        needs_instance=needs_instance,
        constructor=constructor,
        parameters=binding.signature_of(function, f"{name}.{method}()", skip_first=needs_instance),
        source=resolve.source_file(owner),
        hooks=resolve.hooks(owner),
        demand=demands.of(owner, method),
        submit_hook=_module_of(resolve.on_submit(owner)),
        code=code,
    )


def _constructor(owner: type, name: str) -> Signature | None:
    abstract: frozenset[str] = getattr(owner, "__abstractmethods__", frozenset())
    if abstract:
        raise InvalidTarget(f"{name} can't be instantiated: it is abstract ({', '.join(sorted(abstract))}).")
    return binding.signature_of(owner, f"The constructor {name}()")


def _module_of(function: Any) -> str | None:
    return None if function is None else str(getattr(function, "__module__", ""))
