"""Run one attempt from its folder: claim the start, take on the caller's context, call the method, record the outcome, exit.

The claim comes before any user code; the outcome is written by this process itself, never by a fork of it.
"""

import builtins
import contextlib
import errno
import os
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

from ..model import serialization
from ..state import attempt, current_job, ownership
from ..state import request as requests
from ..system import identity, place, private_file, worker
from ..targets import bytecode, demands, resolve
from . import context, descriptions, import_hooks, outcome, streams

#: The exit code that reports why the outcome could not be written, by error number.
_NOT_WRITTEN = dict.fromkeys((errno.EACCES, errno.EPERM), attempt.OUTCOME_FORBIDDEN)
_NOT_WRITTEN |= dict.fromkeys((errno.EMFILE, errno.ENFILE, errno.EFBIG), attempt.OUTCOME_LIMITED)


def main(folder: str, telling: int | None = None) -> NoReturn:
    """Run the attempt that its folder describes; the process exits afterwards.

    Parameters
    ----------
    folder : str
        The attempt folder.
    telling : int, optional
        The pipe over which it reports that it has begun (see `system.worker.tell_begun`).
    """
    content = requests.in_folder(folder)
    parsed = None if content is None else requests.parse(content)
    if parsed is None:
        os._exit(0)
    perform(folder, parsed, None, worker.Reserve(), telling)


def perform(
    folder: str, request: dict[str, Any], content: bytes | None, reserve: worker.Reserve, telling: int | None
) -> NoReturn:
    """Run an attempt; the process exits afterwards.

    Parameters
    ----------
    folder, telling
        As for `main`.
    request : dict
        What to do.
    content : bytes or None
        The same as text, to be kept; None if it is in the folder already.
    reserve : Reserve
        Its descriptors are open.
    """
    if content is not None and not requests.fits_in_marker(content):
        requests.write(folder, content)
        content = None
    if not attempt.claim_start(folder, _claim(), worker.hold_alive, content):
        os._exit(0)  # voided: another launch will run it
    worker.tell_begun(telling)
    reserve.hold()
    record = _run_whole(folder, request, reserve)
    for last in (_finish, _linger):
        with contextlib.suppress(BaseException):  # an interrupt comes too late: the job has ended
            last(folder, record)
    worker.leave(0 if record["status"] == "succeeded" else 1, request["exit_grace_seconds"])


def _run_whole(folder: str, request: dict[str, Any], reserve: worker.Reserve) -> dict[str, Any]:
    """Run, and return how it ended, even if a signal arrives just before that."""
    pid = os.getpid()
    try:
        return _run(folder, request, reserve)
    except BaseException as error:
        _leave_if_fork(pid, error)
        return {"source": None, **_asked_to_end(folder), **_failed(folder, folder, error, called=True)}


def _finish(folder: str, record: dict[str, Any]) -> None:
    """Write how it ended, and flush everything that is not written yet."""
    with worker.signals_deferred():
        with contextlib.suppress(Exception):  # the job may have changed it in any way
            current_job.finish()
        _write_outcome(folder, record | {"ended_at": time.time(), "lost": streams.losses.to_json()})


def _linger(folder: str, _record: dict[str, Any]) -> None:
    worker.linger_while_ending(f"{folder}/{attempt.ENDING}")


def _write_outcome(folder: str, record: dict[str, Any]) -> None:
    """Write how it ended; if the disk is full, retry for a while."""
    for pause in (0.1, 0.4, 1.5, 4.0, None):
        try:
            private_file.write_json(folder, attempt.OUTCOME, record)
        except OSError as error:
            if pause is None:
                os._exit(_NOT_WRITTEN.get(error.errno or 0, attempt.OUTCOME_NOT_WRITTEN))
            time.sleep(pause)
        else:
            return


def _claim() -> dict[str, Any]:
    return {
        "process": identity.current().to_json(),
        "launcher": identity.parent().to_json(),
        "host": identity.host(),
        "pid_namespace": identity.pid_namespace(),
        "machine": place.machine(),
        "started_at": time.time(),
        "monotonic": time.monotonic(),
    }


def _run(folder: str, request: dict[str, Any], reserve: worker.Reserve) -> dict[str, Any]:
    """Call the method and return how it ended; whatever the user's code does, this returns, and only in the worker."""
    pid = os.getpid()
    record: dict[str, Any] = {"source": None}
    called = False
    shown = request["hook"]["attempt"] if "hook" in request else folder  # a hook's displays go to those of its job
    try:
        worker.unwind_on_terminate()
        context.enter(folder, request)
        _equip(shown, request)
        sent = _sent(request) if request["by_value"] else {}  # anything else may be unpickled once its module is found
        _define(serialization.of_part(sent, serialization.CODE))
        owner = resolve.resolve(request["key"], request["only_from"])
        demands.check(owner, request["method"], request.get("permits", ()))  # an older supervisor grants nothing
        record["source"] = bytecode.source_of(resolve.module_of(owner))
        sent = sent or _sent(request)
        called = True
        value = _call(request, owner, sent)
        _leave_if_fork(pid)
        record |= _asked_to_end(folder)
        reserve.release()
        return record | _succeeded(folder, value)
    except BaseException as error:
        _leave_if_fork(pid, error)
        record |= _asked_to_end(folder)
        reserve.release()
        return record | _failed(folder, shown, error, called=called)
    finally:
        _leave_if_fork(pid)


def _asked_to_end(folder: str) -> dict[str, Any]:
    """Return whether the attempt's end was requested before its method returned, however the method handled the interrupt."""
    return {"interrupted": True} if os.path.lexists(f"{folder}/{attempt.ENDING}") else {}


def _failed(folder: str, shown: str, error: BaseException, *, called: bool) -> dict[str, Any]:
    """Show and save the raised exception, even if it can't be inspected."""
    try:
        if isinstance(error, MemoryError):
            descriptions.clear_frames(error)
        if called and isinstance(error, SystemExit) and error.code in (None, 0):  # before the call, nothing of the job has run
            return _succeeded(folder, None)
        _end_cell()
        told = descriptions.error_text(error)
        _show_exception(shown, told)
        return outcome.failed(folder, error, told)
    except BaseException as second:  # out of memory, its type raises when asked for its names, or a signal arrived
        message = f"<could not be shown: {type(second).__name__}>"
        return {"status": "error", "type": descriptions.name(type(error)), "message": message}


def _define(code: dict[str, bytes]) -> None:
    """Define what the notebook has defined, and ``display``, which notebooks need not import."""
    if code:
        builtins.display = _display  # type: ignore[attr-defined] # as IPython does
    resolve.define(code)


def _display(*objects: Any, **options: Any) -> Any:
    from IPython.display import display

    return display(*objects, **options)  # type: ignore[no-untyped-call]


def _equip(folder: str, request: dict[str, Any]) -> None:
    """Prepare the integrations that a job may use, each loaded only once the job imports its library."""

    def shell() -> None:
        from . import displays, shell

        shell.install(displays.Outputs(folder))

    def bars(module: str, name: str) -> Callable[[], None]:
        def install() -> None:
            from . import tqdm_bars

            tqdm_bars.install(getattr(sys.modules[module], name))

        return install

    def drawing(name: str) -> Callable[[], None]:
        def set_up() -> None:
            from . import plotting

            getattr(plotting, name)()

        return set_up

    current_job.enter(request["job"], folder, request.get("secrets"), request.get("max_output_bytes"))
    actions = {
        "IPython": shell,
        "tqdm.std": bars("tqdm.std", "tqdm"),
        "tqdm.notebook": bars("tqdm.notebook", "tqdm_notebook"),
        "matplotlib": drawing("matplotlib_inline"),
        "matplotlib.backends.backend_nbagg": drawing("nbagg_as_pictures"),
        "plotly.io": drawing("plotly_without_its_script"),
    }
    bytecode.install()
    import_hooks.OnImport(actions).install()


def _succeeded(folder: str, value: Any) -> dict[str, Any]:
    """Show the open figures and the value, and save the value."""
    _end_cell()
    if issubclass(type(value), current_job.HiddenResult):  # a proxy may raise when asked for its class
        record = outcome.succeeded(folder, value.value)
        if "lost" in record["result"]:
            record = outcome.succeeded(folder, outcome.kept_apart(value.value))
        record["result"]["unshown"] = True
        return record
    record = outcome.succeeded(folder, value)
    if "plain" not in record["result"]:
        with contextlib.suppress(Exception, SystemExit):  # a failing representation is not a failure of the job
            from .displays import Outputs

            Outputs(folder).result(value)
    return record


def _end_cell() -> None:
    """Show the open figures, as the end of a cell does, if the job has IPython."""
    shell = sys.modules.get("ipybgjobs.worker.shell")
    if shell is not None:
        with contextlib.suppress(Exception):
            shell.end_cell()


def _call(request: dict[str, Any], owner: Any, sent: dict[str, Any]) -> Any:
    init = request["init"] | serialization.of_part(sent, serialization.INIT)
    params = request["params"] | serialization.of_part(sent, serialization.PARAMS)
    instance = serialization.of_part(sent, serialization.INSTANCE).get(serialization.SELF)
    if "hook" in request:
        return _awaited(_call_hook(request, owner(**init) if instance is None else resolve.checked(instance, owner)))
    function = resolve.bound(owner, request["method"], init, instance)
    positional = [params.pop(name) for name in request["positional"]]
    return _awaited(function(*positional, **params))


def _call_hook(request: dict[str, Any], instance: Any) -> Any:
    """Call an instance's hook with how its job ended."""
    from ..state import reports, results

    hook = request["hook"]
    if hook["name"] == "on_success":
        return instance.on_success(results.value(hook["attempt"], request["job"]["id"]))
    written = reports.outcome(hook["attempt"])
    traceback = None if written is None else written.traceback
    return instance.on_failure(results.exception(hook["attempt"], hook["outcome"], hook["error"], traceback))


def _sent(request: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a call that are not plain, by slot."""
    values: dict[str, Any] = {}
    for path in request["pickled"]:
        values |= serialization.load(ownership.read(path))
    return values


def _awaited(value: Any) -> Any:
    """Return the value, or its result if it is awaitable."""
    if not resolve.is_awaited(value):
        return value
    import asyncio

    async def wait() -> Any:
        return await value

    return asyncio.run(wait())


def _show_exception(folder: str, told: descriptions.ErrorText) -> None:
    """Show an exception in the log and among the outputs, where users who follow the job will see it."""
    with contextlib.suppress(Exception):
        from .displays import Outputs

        outputs = Outputs(folder)
        began = outputs.offset()
        with contextlib.suppress(Exception):  # streams that the job has closed or deleted
            stream: Any = getattr(sys, "stderr", None) or sys.__stderr__
            stream.write(told.traceback)
        outputs.error(told, began)


def _leave_if_fork(pid: int, error: BaseException | None = None) -> None:
    """Exit if this is a fork of the worker that returned from the user's code: it records nothing, and ends as a script would."""
    if os.getpid() == pid:
        return
    if error is not None:
        with contextlib.suppress(Exception):
            descriptions.begin_at_user_code(error)
    worker.leave_fork(error)
