"""A separate process that inspects a target: its request, and its answer.

It imports the module as it is on disk now, whatever the requesting process has imported, and never outlives the process
that waits for it.
"""

import contextlib
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from ..errors import BackgroundJobError, InvalidTarget
from ..model import serialization
from ..system import interrupt_shield, launch
from ..system.roles import command
from . import bytecode, import_path, inspection_steps, loaded_modules, lookup
from .bound_call import BoundCall
from .inspection_steps import InspectionRequest, InspectionResult
from .lookup import Lookup
from .target_signature import TargetSignature

#: Longest time that it may take to import a module and inspect it, in seconds.
LONGEST_INSPECTION = 120.0

#: How long it may take before the user is told, in seconds.
_PATIENCE = 1.0

#: Longest time that it keeps running once no process waits for it, in seconds.
_POLL_SECONDS = 0.1


class Answer(NamedTuple):
    """The result; also what of its signature any process can bind by, with the files that it comes from."""

    inspected: InspectionResult
    kept: TargetSignature | None = None
    files: tuple[list[Any], ...] = ()


def inspect(request: InspectionRequest, path_prefix: Sequence[str], tell: Callable[[str], None]) -> Answer:
    """Have a separate process inspect.

    Parameters
    ----------
    request : InspectionRequest
        The target and the calls.
    path_prefix : sequence of str
        Folders that go first on its import path.
    tell : callable
        Shows the user a line if it takes long.

    Raises
    ------
    BackgroundJobError
        See `inspection_steps.inspect_here`.
    InvalidTarget
        If it takes too long, or ends without an answer.
    """
    key = request.permission.entry.key
    answer = _asked(key, [*path_prefix, *import_path.absolute()], request, tell)
    return Answer(*answer)


def look_up(targets: Sequence[str], tell: Callable[[str], None]) -> tuple[Lookup | InvalidTarget, ...]:
    """Have a separate process look targets up by importing their modules; for one that can't be imported, return why.

    Parameters
    ----------
    targets : sequence of str
        Dotted paths.
    tell : callable
        Shows the user a line if it takes long.

    Raises
    ------
    InvalidTarget
        If it takes too long, or ends without an answer.
    """
    found: tuple[Lookup | InvalidTarget, ...] = _asked(", ".join(targets), import_path.absolute(), tuple(targets), tell)
    return found


def _asked(key: str, path: Sequence[str], request: Any, tell: Callable[[str], None]) -> tuple[Any, ...]:
    """Have a separate process answer a request about a target; return its answer, or raise it."""
    content = serialization.dump(list(path)) + serialization.dump(request)
    try:
        with _told_after(_PATIENCE, lambda: tell(f"Importing {key} in a process of its own, to see what it takes …")):
            status, output, errors = interrupt_shield.run(lambda: ask(content))
    except subprocess.TimeoutExpired:
        raise InvalidTarget(f"{key} took more than {LONGEST_INSPECTION:.0f} s to import.") from None
    try:
        answer = serialization.load(output) if status == 0 else None
    except (Exception, SystemExit):  # it ended before it could answer, or a parameter can't be loaded
        answer = None
    if answer is None:
        last = errors.decode(errors="replace").strip().rpartition("\n")[2] or f"it ended with exit code {status}"
        raise InvalidTarget(f"{key} could not be inspected in a separate process: {last}.")
    if isinstance(answer, BackgroundJobError):
        raise answer
    found: tuple[Any, ...] = answer
    return found


@contextlib.contextmanager
def _told_after(seconds: float, tell: Callable[[], None]) -> Iterator[None]:
    """Tell the user something if a block takes long, while it does."""
    timer = threading.Timer(seconds, tell)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def ask(content: bytes) -> tuple[int, bytes, bytes]:
    """Ask a fresh process; return its exit status, answer and errors. It exits with the process that waits for it."""
    import tempfile  # here, since it loads all compressions

    # Files: `communicate` forgets what a full pipe has not taken at a timeout, and start-up hooks may print to standard output.
    with tempfile.TemporaryFile() as request, tempfile.TemporaryFile() as answers:
        request.write(content)
        request.seek(0)
        words = command("inspection", str(answers.fileno()))
        with launch.piped(words, request.fileno(), answers.fileno()) as asked:
            try:
                errors = _errors(asked)
            except BaseException:
                asked.kill()
                raise
        answers.seek(0)
        return asked.returncode, answers.read(), errors


def _errors(asked: "subprocess.Popen[bytes]") -> bytes:
    """Wait for a process; return its standard error."""
    limit = time.monotonic() + LONGEST_INSPECTION
    while True:
        try:
            return asked.communicate(timeout=_POLL_SECONDS)[1]
        except subprocess.TimeoutExpired:
            interrupt_shield.check_abandoned()
            if time.monotonic() > limit:
                raise


def main(descriptor: int) -> None:
    """Answer a request from standard input on a descriptor; the output of the user's module is discarded."""
    os.set_inheritable(descriptor, False)
    sys.path[:] = pickle.load(sys.stdin.buffer)  # first, because what follows may need it
    request: InspectionRequest | tuple[str, ...] = pickle.load(sys.stdin.buffer)
    loaded = frozenset(sys.modules)  # the asker has these modules too
    answer: tuple[Any, ...] | BackgroundJobError
    try:
        answer = tuple(map(_found, request)) if isinstance(request, tuple) else tuple(_answer(request, loaded))
    except BackgroundJobError as error:
        answer = error.with_traceback(None)
        answer.__cause__ = answer.__context__ = None
    with open(descriptor, "wb") as file:
        file.write(serialization.dump(answer))


def _found(target: str) -> Lookup | InvalidTarget:
    try:
        return lookup.by_import(target)
    except InvalidTarget as error:
        return InvalidTarget(str(error))


def _sealed(calls: Sequence[BoundCall], loaded: frozenset[str], secrets: tuple[str, ...]) -> tuple[BoundCall, ...]:
    """Return the calls without what would make the process that asks import the user's modules."""
    try:
        return tuple(call.sealed(loaded, secrets) for call in calls)
    except (Exception, SystemExit):  # a value that can't be pickled: the process that asks reports that
        return tuple(calls)


def _answer(request: InspectionRequest, loaded: frozenset[str]) -> Answer:
    inspected = inspection_steps.inspect_here(request)
    inspected = replace(inspected, calls=_sealed(inspected.calls, loaded, request.secrets))
    kept = inspected.signature.portable()
    if kept != inspected.signature:
        inspected = replace(inspected, signature=inspected.signature.described())
    names = [name for name in loaded_modules.bases_first(request.permission.entry.key) if name not in sys.builtin_module_names]
    files = [bytecode.source_of(sys.modules[name]) for name in names]
    if None in files:
        return Answer(inspected)
    return Answer(inspected, kept, tuple(each for each in files if each is not None))
