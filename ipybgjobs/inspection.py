"""Looks at an allowed target: whether it exists, what it takes, and whether these parameters fit.

It looks in this process where it can. Where the source has changed since it was imported here, or where the module may be
found in one folder only, a fresh process looks: so an edited .py beside the notebook just works, and nothing is reloaded here.
"""

import inspect
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from . import binding, plain, redaction, resolve, unbroken
from .allowlist import Permission
from .errors import BackgroundJobError, InvalidParameters, InvalidTarget
from .process import identity
from .roles import command
from .settings import NOTEBOOK

#: Longest that a fresh process may take to import a module and look at it, in seconds.
LONGEST_LOOK = 120.0

#: Longest that it runs on when nobody waits for it any more, in seconds.
_GLANCE = 0.1


@dataclass(frozen=True, slots=True)
class Bound:
    """Parameters that fit, converted."""

    init: dict[str, Any]
    params: dict[str, Any]
    positional: tuple[str, ...]  #: names of parameters that can't be given by name
    source: str | None = None  #: the file of the target
    hooks: tuple[str, ...] = ()  #: hooks that its class has
    code: dict[str, bytes] = field(default_factory=dict)  #: the class or function itself, pickled, where it is sent by value
    annotations: dict[str, str] = field(default_factory=dict)  #: by which they were converted, by ``init.NAME``, ``params.NAME``


class _Seen:
    """When modules were imported here, as far as it can be told: their source's date at the first look."""

    def __init__(self) -> None:
        self._dates: dict[str, int] = {}
        self._process_started = identity.started_ns()

    def is_current(self, key: str) -> bool:
        """Whether this process would look at the source as it is on disk."""
        return all(self.is_module_current(name) for name in _modules(key))

    def is_module_current(self, name: str) -> bool:
        """Whether this process has imported a module as it is on disk."""
        date = _source_date(sys.modules[name])
        if date is None:
            return True
        return date == self._dates[name] if name in self._dates else date < self._process_started

    def note(self, key: str) -> None:
        """Remember the dates of modules that were current when they were looked at."""
        for name in _modules(key):
            date = _source_date(sys.modules[name])
            if date is not None:
                self._dates.setdefault(name, date)

    def renew(self, names: Iterable[str]) -> None:
        """Remember the dates of modules that were imported again."""
        dates = {name: _source_date(sys.modules[name]) for name in names}
        self._dates |= {name: date for name, date in dates.items() if date is not None}


def _prefixes(key: str) -> list[str]:
    parts = key.split(".")
    return [".".join(parts[:length]) for length in range(len(parts), 0, -1)]


def _modules(key: str) -> set[str]:
    """Modules imported here that a target is made of: its own, and those of its class's bases."""
    return set(_in_order(key))


def _in_order(key: str) -> list[str]:
    """The same, each once, the bases' first."""
    name = next((part for part in _prefixes(key) if part in sys.modules), None)
    if name is None:
        return []
    found: Any = sys.modules[name]
    for part in key[len(name) + 1 :].split("."):
        found = getattr(found, part, None)
    bases = [base.__module__ for base in reversed(getattr(found, "__mro__", ()))]
    return list(dict.fromkeys([*(module for module in bases if module in sys.modules), name]))


def _source_date(module: Any) -> int | None:
    try:
        return os.stat(module.__file__).st_mtime_ns
    except (AttributeError, TypeError, OSError):
        return None


_seen: _Seen | None = None


def look(
    permission: Permission,
    init: Mapping[str, Any],
    params: Mapping[str, Any],
    secrets: tuple[str, ...] = (),
    code: Mapping[str, bytes] | None = None,
) -> Bound:
    """Check the parameters of a call against the target's signature.

    Parameters
    ----------
    permission : Permission
        The target, which the allowlist has passed.
    init, params : mapping
        Parameters of the constructor and of the method.
    secrets : tuple of str
        Names whose values are in no message.
    code : mapping, optional
        The target's code as an earlier job got it by value; by default what is defined here.

    Raises
    ------
    InvalidTarget
        If the target can't be imported or called.
    InvalidParameters
        If the parameters don't fit.
    JobNotAllowed
        If the module is found outside the one folder that is allowed.
    """
    if code:
        return _look_in_fresh_process(permission, init, [params], secrets, code)[0]
    return look_at_all(permission, init, [params], secrets)[0]


def look_at_all(
    permission: Permission, init: Mapping[str, Any], calls: Sequence[Mapping[str, Any]], secrets: tuple[str, ...]
) -> list[Bound]:
    """Check the parameters of several calls of one target; as `look`, the target looked at once."""
    global _seen  # noqa: PLW0603 - one memory of imports a process
    _seen = _seen or _Seen()
    key = permission.entry.key
    if permission.by_value:
        return look_here(permission, init, calls, secrets)
    if permission.entry.only_from is not None or not _seen.is_current(key):
        return _look_in_fresh_process(permission, init, calls, secrets)
    bound = look_here(permission, init, calls, secrets)
    _seen.note(key)
    return bound


def stale(key: str) -> list[str]:
    """Modules of a class that this process has imported and that have changed on disk since; bases come first."""
    seen = _seen or _Seen()
    return [name for name in _in_order(key) if name != NOTEBOOK and not seen.is_module_current(name)]


def imported_again(names: Iterable[str]) -> None:
    """Take note that modules were imported here a second time."""
    if _seen is not None:
        _seen.renew(names)


def look_here(
    permission: Permission,
    init: Mapping[str, Any],
    calls: Sequence[Mapping[str, Any]],
    secrets: tuple[str, ...],
    code: Mapping[str, bytes] | None = None,
) -> list[Bound]:
    """Look in this process; imports the module, or loads the code that an earlier job got."""
    entry, method = permission
    resolve.define(code or {})
    owner = resolve.resolve(entry.key, entry.only_from)
    label = getattr(owner, "__qualname__", owner.__name__)
    instance = resolve.needs_instance(owner, method)
    constructor = _constructor(owner, label) if instance else None
    bound_init = _bound_init(constructor, label, init, secrets) if instance else _no_constructor(label, method, init)
    function = resolve.static_attribute(owner, method) if instance else getattr(owner, method)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise InvalidTarget(f"{label}.{method} is a generator, and calling it runs nothing: return a list.")
    shape = binding.shape(function, f"{label}.{method}()", skip_first=instance)
    common = Bound(
        init=bound_init,
        params={},
        positional=(),
        source=resolve.source_file(owner),
        hooks=resolve.hooks(owner),
        code=dict(code or _code(permission)) if permission.by_value else {},
        annotations=_annotations("init", constructor) | _annotations("params", shape),
    )

    def bind(params: Mapping[str, Any]) -> dict[str, Any]:
        _check_owner(constructor, shape, f"{label}({{}}).{method}", params)
        return _prepared(owner, method, binding.bind(shape, params, secrets))

    found = _bind_all(bind, calls)
    return [_of_call(common, shape, params) for params in found]


def _of_call(common: Bound, shape: binding.Shape | None, params: dict[str, Any]) -> Bound:
    params, positional = _by_position(shape, params)
    return replace(common, params=params, positional=positional)


def _code(permission: Permission) -> dict[str, bytes]:
    """What has to be sent for a target that nobody else can import: the outermost class, or the function."""
    name = permission.target.split(".")[1]
    try:
        return {name: plain.dump(getattr(resolve.resolve(NOTEBOOK), name))}
    except Exception as error:
        raise InvalidTarget(
            f"{name} can't be sent to another process: {error}. Make what can't be sent inside of it, or put it in a module."
        ) from error


def _annotations(group: str, shape: binding.Shape | None) -> dict[str, str]:
    """The annotations of a signature as text."""
    slots = shape.slots if shape else ()
    return {f"{group}.{slot.name}": slot.annotated for slot in slots if slot.annotated}


def _prepared(owner: Any, method: str, params: dict[str, Any]) -> dict[str, Any]:
    """Let the class prepare parameters that fit; its refusal is one of ours."""
    prepare = resolve.on_submit(owner)
    if prepare is None:
        return params
    try:
        return dict(prepare(method, params))
    except BackgroundJobError:
        raise
    except Exception as error:
        raise InvalidParameters(f"{owner.__qualname__}.{method}() refuses: {redaction.one_line(str(error))}") from error


def _bind_all(bind: Callable[[Mapping[str, Any]], dict[str, Any]], calls: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Bind the parameters of each call; of several, the one that doesn't fit is named by its number."""
    found = []
    for number, params in enumerate(calls):
        try:
            found.append(bind(params))
        except InvalidParameters as error:
            if len(calls) == 1:
                raise
            raise InvalidParameters(f"call {number}: {error}") from None
    return found


def _by_position(shape: binding.Shape | None, params: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Name the parameters to pass by position; one left out before a given one is given its default."""
    slots = [slot for slot in shape.slots if slot.positional] if shape else []
    while slots and slots[-1].name not in params:
        slots.pop()
    defaults = {slot.name: slot.default for slot in slots if slot.name not in params}
    return {**params, **defaults}, tuple(slot.name for slot in slots)


def _constructor(owner: type, label: str) -> binding.Shape | None:
    abstract: frozenset[str] = getattr(owner, "__abstractmethods__", frozenset())
    if abstract:
        raise InvalidTarget(f"{label} can't be instantiated: it is abstract ({', '.join(sorted(abstract))}).")
    return binding.shape(owner, f"The constructor {label}()")


def _bound_init(shape: binding.Shape | None, label: str, init: Mapping[str, Any], secrets: tuple[str, ...]) -> dict[str, Any]:
    unnamed = [slot.name for slot in shape.slots if slot.positional and slot.name in init] if shape else []
    if unnamed:
        raise InvalidParameters(f"The constructor {label}() takes {unnamed[0]} by position only, which a job can't give it.")
    try:
        return binding.bind(shape, init, secrets)
    except InvalidParameters as error:
        if not init:
            raise InvalidParameters(f"{error} (%bgjob {label}(name=value).method …, or init={{…}} in Python)") from None
        raise


def _check_owner(constructor: binding.Shape | None, shape: binding.Shape | None, form: str, given: Iterable[str]) -> None:
    """See to it that none of a method's parameters is meant for the constructor."""
    if constructor is None or shape is None or shape.open:
        return
    others = {slot.name for slot in constructor.slots} - {slot.name for slot in shape.slots}
    name = next((name for name in given if name in others), None)
    if name is not None:
        written = form.format(f"{name}=value")
        raise InvalidParameters(f"{name} is a parameter of the constructor: write %bgjob {written} …, or init={{…}} in Python.")


def _no_constructor(label: str, method: str, init: Mapping[str, Any]) -> dict[str, Any]:
    if init:
        raise InvalidParameters(f"{label}.{method} is called without an instance; leave out the constructor's parameters.")
    return {}


def _look_in_fresh_process(
    permission: Permission,
    init: Mapping[str, Any],
    calls: Sequence[Mapping[str, Any]],
    secrets: tuple[str, ...],
    code: Mapping[str, bytes] | None = None,
) -> list[Bound]:
    path = plain.dump([folder or os.getcwd() for folder in sys.path])
    question = path + plain.dump((permission, dict(init), [dict(params) for params in calls], secrets, code))
    try:
        status, output, errors = unbroken.run(lambda: _ask(question))
    except subprocess.TimeoutExpired:
        raise InvalidTarget(f"{permission.entry.key} took more than {LONGEST_LOOK:.0f} s to import.") from None
    if status != 0:
        last = errors.decode(errors="replace").strip().rpartition("\n")[2]
        raise InvalidTarget(f"{permission.entry.key} can't be looked at in a process of its own: {last}.")
    answer = plain.load(output)
    if isinstance(answer, BackgroundJobError):
        raise answer
    bound: list[Bound] = answer
    return bound


def _ask(question: bytes) -> tuple[int, bytes, bytes]:
    """Ask a fresh process; return its exit status, answer and errors. It ends with whoever waits for it."""
    limit = time.monotonic() + LONGEST_LOOK
    unasked: bytes | None = question
    with subprocess.Popen(command("inspection"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as asked:
        try:
            while True:
                try:
                    answer, errors = asked.communicate(unasked, timeout=_GLANCE)
                except subprocess.TimeoutExpired:
                    unasked = None  # it is given once, and is on its way
                    unbroken.check()
                    if time.monotonic() > limit:
                        raise
                else:
                    return asked.returncode, answer, errors
        except BaseException:
            asked.kill()
            raise


def main() -> None:
    """Answer a question from standard input on standard output; what the user's module prints goes nowhere."""
    answers = os.dup(1)
    os.dup2(2, 1)
    sys.path[:] = pickle.load(sys.stdin.buffer)  # first, since what follows may need it
    permission, init, calls, secrets, code = pickle.load(sys.stdin.buffer)
    answer: list[Bound] | BackgroundJobError
    try:
        answer = look_here(permission, init, calls, secrets, code)
    except BackgroundJobError as error:
        answer = error.with_traceback(None)
        answer.__cause__ = answer.__context__ = None
    with open(answers, "wb") as file:
        file.write(plain.dump(answer))
