"""Inspect an allowed target: whether it exists, what it takes, and whether the given parameters fit.

It inspects in this process if possible. If the source has changed since it was imported here, or if the module is allowed from
one folder only, a fresh process inspects it: so an edited .py beside the notebook just works, and nothing is reloaded here.
"""

import contextlib
import inspect
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ..configuration.settings import NOTEBOOK
from ..errors import BackgroundJobError, InvalidParameters, InvalidTarget
from ..model import redaction, serialization
from ..system import launch, shield
from ..system.roles import command
from . import binding, bytecode, demands, import_path, inspection_cache, loaded_modules, resolve
from .allowlist import Permission
from .loaded_modules import Imports

#: Longest time that a fresh process may take to import a module and inspect it, in seconds.
LONGEST_LOOK = 120.0

#: Longest time that it runs on when no process waits for it any more, in seconds.
_GLANCE = 0.1


@dataclass(frozen=True, slots=True)
class Bound:
    """Checked and converted parameters."""

    init: dict[str, Any]
    params: dict[str, Any]
    positional: tuple[str, ...]  #: names of parameters that can't be passed by name
    source: str | None = None  #: the file of the target
    hooks: tuple[str, ...] = ()  #: hooks that its class defines
    code: dict[str, bytes] = field(default_factory=dict)  #: the class or function itself, pickled, if it is sent by value
    annotations: dict[str, str] = field(
        default_factory=dict
    )  #: annotations that converted them, by ``init.NAME``, ``params.NAME``
    demand: str | None = None  #: what it demands beyond its entry, from `demands.of`
    first: tuple[str, ...] = ()  #: folders that go first on a job's import path


_seen: Imports | None = None
_kept = inspection_cache.Kept()


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
        The allowed target.
    init, params : mapping
        Parameters of the constructor and of the method.
    secrets : tuple of str
        Names whose values appear in no message.
    code : mapping, optional
        The target's code as an earlier job received it by value; by default the code defined here.

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
        return _look_in_fresh_process(_Question(permission, dict(init), [dict(params)], secrets, code)).bound[0]
    return look_at_all(permission, init, [params], secrets)[0]


def look_at_all(
    permission: Permission, init: Mapping[str, Any], calls: Sequence[Mapping[str, Any]], secrets: tuple[str, ...]
) -> list[Bound]:
    """Check the parameters of several calls of one target; as `look`, but the target is inspected only once."""
    global _seen  # noqa: PLW0603 - one record of imports per process
    _seen = _seen or Imports()
    key = permission.entry.key
    if permission.by_value:
        return look_here(permission, init, calls, secrets)
    first = () if permission.entry.only_from is not None else import_path.folders_first([key])
    if permission.entry.only_from is not None or not _seen.is_current(key):
        asked = _Question(permission, dict(init), [dict(params) for params in calls], secrets)
        bound = _look_elsewhere(asked, first)
    else:
        bound = look_here(permission, init, calls, secrets)
        _seen.note(key)
    return [replace(each, first=first) for each in bound] if first else bound


def _look_elsewhere(asked: "_Question", first: tuple[str, ...]) -> list[Bound]:
    """Have a fresh process inspect the target, unless one has already inspected the same files."""
    key = (asked.permission.target, asked.permission.entry.only_from, first, *import_path.absolute())
    target = _kept.get(key)
    if target is not None:
        return _bound(target, asked.init, asked.calls, asked.secrets)
    answer = _look_in_fresh_process(asked, first)
    if answer.target is not None:
        _kept.put(key, answer.target, answer.files)
    return answer.bound


def folders_first(targets: Iterable[str]) -> tuple[str, ...]:
    """Return the folders that go first on the import path of jobs, so that they find what this process has imported."""
    keys = (target.rpartition(".")[0] for target in targets)
    return import_path.folders_first(key for key in keys if key.partition(".")[0] != NOTEBOOK)


def stale(key: str) -> list[str]:
    """Return the imported modules of a class that have since changed on disk, those of the bases first."""
    seen = _seen or Imports()
    return [name for name in loaded_modules.in_order(key) if name != NOTEBOOK and not seen.is_module_current(name)]


def imported_again(names: Iterable[str]) -> None:
    """Record that modules were imported here again."""
    if _seen is not None:
        _seen.renew(names)


def look_here(
    permission: Permission,
    init: Mapping[str, Any],
    calls: Sequence[Mapping[str, Any]],
    secrets: tuple[str, ...],
    code: Mapping[str, bytes] | None = None,
) -> list[Bound]:
    """Inspect in this process: import the module, or load the code that an earlier job received."""
    return _bound(_target(permission, code), init, calls, secrets)


@dataclass(frozen=True, slots=True)
class _Target:
    """The signatures to check parameters against; `owner`: the class or module, None if it is in another process."""

    owner: Any
    method: str
    label: str
    instance: bool
    constructor: binding.Shape | None
    shape: binding.Shape | None
    common: Bound


def _target(permission: Permission, code: Mapping[str, bytes] | None) -> _Target:
    entry, method = permission
    resolve.define(code or {})
    with bytecode.loading():
        owner = resolve.resolve(entry.key, entry.only_from)
    label = getattr(owner, "__qualname__", owner.__name__)
    instance = resolve.needs_instance(owner, method)
    constructor = _constructor(owner, label) if instance else None
    function = resolve.static_attribute(owner, method) if instance else getattr(owner, method)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise InvalidTarget(f"{label}.{method} is a generator function, so calling it would run nothing: return a list instead.")
    shape = binding.shape(function, f"{label}.{method}()", skip_first=instance)
    common = Bound(
        init={},
        params={},
        positional=(),
        source=resolve.source_file(owner),
        hooks=resolve.hooks(owner),
        code=dict(code or _code(permission)) if permission.by_value else {},
        annotations=_annotations("init", constructor) | _annotations("params", shape),
        demand=demands.of(owner, method),
    )
    return _Target(owner, method, label, instance, constructor, shape, common)


def _bound(target: _Target, init: Mapping[str, Any], calls: Sequence[Mapping[str, Any]], secrets: tuple[str, ...]) -> list[Bound]:
    label, method, shape = target.label, target.method, target.shape
    with _hiding(init, secrets):
        bound_init = (
            _bound_init(target.constructor, label, init, secrets) if target.instance else _no_constructor(label, method, init)
        )

    def bind(params: Mapping[str, Any]) -> dict[str, Any]:
        with _hiding([init, params], secrets):
            _check_owner(target.constructor, shape, f"{label}({{}}).{method}", params)
            return _prepared(target.owner, method, binding.bind(shape, params, secrets))

    common = replace(target.common, init=bound_init)
    return [_of_call(common, shape, params) for params in _bind_all(bind, calls)]


@contextlib.contextmanager
def _hiding(given: Any, secrets: tuple[str, ...]) -> Iterator[None]:
    """Keep secret values out of the text of any refusal, whether a converter or the class itself wrote it."""
    try:
        yield
    except BackgroundJobError as error:
        hidden = redaction.secrets_in(given, secrets)
        error.args = tuple(redaction.without(each, hidden) if isinstance(each, str) else each for each in error.args)
        raise


def _of_call(common: Bound, shape: binding.Shape | None, params: dict[str, Any]) -> Bound:
    params, positional = _by_position(shape, params)
    return replace(common, params=params, positional=positional)


def _code(permission: Permission) -> dict[str, bytes]:
    """Return what to send for a target that no other process can import: its outermost class, or the function."""
    name = permission.target.split(".")[1]
    try:
        return {name: serialization.dump(getattr(resolve.resolve(NOTEBOOK), name))}
    except Exception as error:
        raise InvalidTarget(
            f"{name} can't be sent to another process: {error}. Create what can't be sent inside it, or move it to a module."
        ) from error


def _annotations(group: str, shape: binding.Shape | None) -> dict[str, str]:
    """Return the annotations of a signature as text."""
    slots = shape.slots if shape else ()
    return {f"{group}.{slot.name}": slot.annotated for slot in slots if slot.annotated}


def _prepared(owner: Any, method: str, params: dict[str, Any]) -> dict[str, Any]:
    """Let the class prepare the checked parameters; its refusal becomes one of this package's errors."""
    prepare = resolve.on_submit(owner)
    if prepare is None:
        return params
    try:
        return dict(prepare(method, params))
    except BackgroundJobError:
        raise
    except (Exception, SystemExit) as error:
        said = f"sys.exit({error.code!r})" if isinstance(error, SystemExit) else str(error)
        raise InvalidParameters(f"{owner.__qualname__}.{method}() refuses: {redaction.one_line(said)}") from error


def _bind_all(bind: Callable[[Mapping[str, Any]], dict[str, Any]], calls: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Bind the parameters of each call; if one of several doesn't fit, the error gives its number."""
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
    """Return the names of parameters to pass by position; one omitted before a given one gets its default."""
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
        raise InvalidParameters(
            f"The constructor {label}() takes {unnamed[0]} as a positional-only parameter, which jobs do not support."
        )
    try:
        return binding.bind(shape, init, secrets)
    except InvalidParameters as error:
        if not init:
            raise InvalidParameters(f"{error} (%bgjob {label}(name=value).method …, or init={{…}} in Python)") from None
        raise


def _check_owner(constructor: binding.Shape | None, shape: binding.Shape | None, form: str, given: Iterable[str]) -> None:
    """Check that none of a method's parameters is meant for the constructor."""
    if constructor is None or shape is None or shape.open:
        return
    others = {slot.name for slot in constructor.slots} - {slot.name for slot in shape.slots}
    name = next((name for name in given if name in others), None)
    if name is not None:
        written = form.format(f"{name}=value")
        raise InvalidParameters(f"{name} is a parameter of the constructor: write %bgjob {written} …, or init={{…}} in Python.")


def _no_constructor(label: str, method: str, init: Mapping[str, Any]) -> dict[str, Any]:
    if init:
        raise InvalidParameters(f"{label}.{method} is called without an instance: leave out the constructor's parameters.")
    return {}


class _Question(NamedTuple):
    """The question to a fresh process: the arguments of `look_here`."""

    permission: Permission
    init: dict[str, Any]
    calls: list[dict[str, Any]]
    secrets: tuple[str, ...]
    code: Mapping[str, bytes] | None = None


class _Answer(NamedTuple):
    """The answer of a fresh process; with the target and its files, if the target means the same in any process."""

    bound: list[Bound]
    target: _Target | None = None
    files: tuple[list[Any], ...] = ()


def _look_in_fresh_process(asked: _Question, first: Sequence[str] = ()) -> _Answer:
    permission = asked.permission
    question = serialization.dump([*first, *import_path.absolute()]) + serialization.dump(tuple(asked))
    try:
        status, output, errors = shield.run(lambda: _ask(question))
    except subprocess.TimeoutExpired:
        raise InvalidTarget(f"{permission.entry.key} took more than {LONGEST_LOOK:.0f} s to import.") from None
    try:
        answer = serialization.load(output) if status == 0 else None
    except (Exception, SystemExit):  # it ended before it could answer, or a parameter can't be loaded
        answer = None
    if answer is None:
        last = errors.decode(errors="replace").strip().rpartition("\n")[2] or f"it ended with exit code {status}"
        raise InvalidTarget(f"{permission.entry.key} could not be inspected in a separate process: {last}.")
    if isinstance(answer, BackgroundJobError):
        raise answer
    return _Answer(*answer)


def _ask(question: bytes) -> tuple[int, bytes, bytes]:
    """Ask a fresh process; return its exit status, answer and errors. It ends with the process that waits for it."""
    with tempfile.TemporaryFile() as answers:  # not its standard output, to which start-up hooks may print
        words = command("inspection", str(answers.fileno()))
        with launch.piped(words, answers.fileno()) as asked:
            try:
                errors = _errors(asked, question)
            except BaseException:
                asked.kill()
                raise
        answers.seek(0)
        return asked.returncode, answers.read(), errors


def _errors(asked: "subprocess.Popen[bytes]", question: bytes) -> bytes:
    """Send a question to a process and wait for it; return its standard error."""
    limit = time.monotonic() + LONGEST_LOOK
    unsent: bytes | None = question
    while True:
        try:
            return asked.communicate(unsent, timeout=_GLANCE)[1]
        except subprocess.TimeoutExpired:
            unsent = None  # communicate continues with the first input
            shield.check()
            if time.monotonic() > limit:
                raise


def _to_keep(target: _Target, key: str) -> tuple[_Target | None, tuple[list[Any], ...]]:
    """Return what the asking process may keep: nothing of a class that prepares parameters, or has types of its own."""
    names = [name for name in loaded_modules.in_order(key) if name not in sys.builtin_module_names]
    files = [bytecode.source_of(sys.modules[name]) for name in names]
    portable = inspection_cache.is_portable(target.constructor) and inspection_cache.is_portable(target.shape)
    if not portable or resolve.on_submit(target.owner) is not None or target.common.code or None in files or not files:
        return None, ()
    return replace(target, owner=None), tuple(each for each in files if each is not None)


def main(descriptor: int) -> None:
    """Answer a question from standard input on a descriptor; the output of the user's module is discarded."""
    os.set_inheritable(descriptor, False)
    sys.path[:] = pickle.load(sys.stdin.buffer)  # first, because what follows may need it
    permission, init, calls, secrets, code = pickle.load(sys.stdin.buffer)
    answer: tuple[Any, ...] | BackgroundJobError
    try:
        target = _target(permission, code)
        answer = (_bound(target, init, calls, secrets), *_to_keep(target, permission.entry.key))
    except BackgroundJobError as error:
        answer = error.with_traceback(None)
        answer.__cause__ = answer.__context__ = None
    with open(descriptor, "wb") as file:
        file.write(serialization.dump(answer))
