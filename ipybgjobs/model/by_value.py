"""Send classes and functions by value, with cloudpickle; loading does not redefine classes that this process already has.

cloudpickle would give such a class the pickled methods, with copies of the globals that they use: the notebook's own class
would no longer see the notebook's variables once one of its instances had come back. Functions carry their source.
"""

import hashlib
import inspect
import io
import linecache
import pickle
import sys
import tokenize
import types
from collections.abc import Callable
from typing import Any

import cloudpickle.cloudpickle as _cloudpickle

from . import former_names

_MODULE = "cloudpickle.cloudpickle"

#: Functions of cloudpickle that a pickle names: one makes a class or finds it here, the other then defines it.
_MAKERS, _DEFINER = ("_make_skeleton_class", "_make_skeleton_enum"), "_class_setstate"


class _Pickler(_cloudpickle.Pickler):  # type: ignore[misc] # cloudpickle has no types
    """Pickles; a class with slots keeps them, whereas cloudpickle's own pickler would give each instance a dict."""

    def reducer_override(self, obj: Any) -> Any:
        """Return how to rebuild an object."""
        if isinstance(obj, types.CodeType):
            return _with_source(obj, self.dispatch_table[types.CodeType](obj))
        if _is_get_ipython(obj):
            return getattr, (sys.modules["IPython"], "get_ipython")  # there it is the shell of the job
        reduced = super().reducer_override(obj)
        make = getattr(_cloudpickle, _MAKERS[0])
        if not isinstance(reduced, tuple) or reduced[0] is not make or "__slots__" not in vars(obj):
            return reduced
        _, (kind, name, bases, namespace, *more), *rest = reduced
        return make, (kind, name, bases, {**namespace, "__slots__": obj.__slots__}, *more), *rest


def _is_get_ipython(value: Any) -> bool:
    """Return whether it is the function that magics and ``!`` call: it leads to the notebook's shell, which can't be sent."""
    shell = sys.modules.get("IPython.core.interactiveshell")
    return shell is not None and isinstance(value, types.MethodType) and value.__func__ is shell.InteractiveShell.get_ipython


def _with_source(code: types.CodeType, reduced: Any) -> Any:
    """Return how to rebuild code, with its source lines if they are known."""
    make, arguments = reduced
    block = _block(code)
    if not block:
        return reduced
    name = f"<notebook code {hashlib.sha256(f'{code.co_firstlineno} {block}'.encode()).hexdigest()[:10]}>"
    named = tuple(name if each in ("<dynamic-code>", code.co_filename) else each for each in arguments)
    return _make_code, (make, named, name, code.co_firstlineno, block)


def _block(code: types.CodeType) -> str:
    """Return the source of a function, without the rest of its cell or file; empty if unknown."""
    lines = linecache.getlines(code.co_filename)[code.co_firstlineno - 1 :] if code.co_firstlineno else []
    try:
        return "".join(inspect.getblock(lines)) if lines else ""
    except (tokenize.TokenError, SyntaxError, IndentationError):
        return ""


def _make_code(make: Callable[..., Any], arguments: tuple[Any, ...], name: str, first: int, block: str) -> Any:
    """Rebuild code so that tracebacks and `inspect` find its source, at its original lines."""
    lines = ["\n"] * (first - 1) + block.splitlines(keepends=True)
    linecache.cache[name] = (len(block), None, lines, name)  # None: there is no file to check again
    return make(*arguments)


class _Unpickler(former_names.Unpickler):
    """Unpickles; a class that already exists here is found, and not defined again."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content))
        self._here: list[Any] = []

    def find_class(self, module: str, name: str) -> Any:
        found = super().find_class(module, name)
        if module != _MODULE:
            return found
        if name in _MAKERS:
            return self._maker(found)
        return self._definer(found) if name == _DEFINER else found

    def _maker(self, make: Callable[..., Any]) -> Callable[..., Any]:
        def make_or_find(*arguments: Any) -> Any:
            known = set(map(id, _known()))
            cls = make(*arguments)
            if id(cls) in known:
                self._here.append(cls)
            return cls

        return make_or_find

    def _definer(self, define: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def define_unless_here(cls: Any, state: Any) -> Any:
            return cls if any(cls is each for each in self._here) else define(cls, state)

        return define_unless_here


def _known() -> list[Any]:
    """Return the classes that this process has sent or received by value."""
    return list(getattr(_cloudpickle, "_DYNAMIC_CLASS_TRACKER_BY_ID", {}).values())


def dump(value: Any, buffers: Callable[[pickle.PickleBuffer], Any] | None = None) -> bytes:
    """Pickle a value with protocol 5; given `buffers`, large blocks of memory go there and not into the pickle."""
    file = io.BytesIO()
    _Pickler(file, protocol=5, buffer_callback=buffers).dump(value)
    return file.getvalue()


def load(content: bytes) -> Any:
    """Load a pickle."""
    return _Unpickler(content).load()
