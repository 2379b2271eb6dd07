"""A real supervisor with one boundary prepared: a function replaced by one that ends or stops the process there."""

import subprocess
import sys
import textwrap
from collections.abc import Callable

from ipybgjobs.executors import registry
from ipybgjobs.state.folder import StateFolder
from ipybgjobs.supervisor.loop import Supervisor

from .place import Place, until
from .processes import has_socket

#: A supervisor, and its fork server, with functions replaced. `die` and `stop` end or stop the process before or after one.
_DRIVER = """
import functools, os, signal, sys

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def stop(*_, stopped=[], **__):
    if not stopped:  # once
        stopped.append(True)
        os.kill(os.getpid(), signal.SIGSTOP)

def before(owner, name, act, when=lambda *_: True):
    function = getattr(owner, name)
    @functools.wraps(function)
    def replaced(*values, **options):
        if when(*values):
            act(*values)
        return function(*values, **options)
    setattr(owner, name, replaced)

def after(owner, name, act, when=lambda *_: True):
    function = getattr(owner, name)
    @functools.wraps(function)
    def replaced(*values, **options):
        result = function(*values, **options)
        if when(result, *values):
            act(*values)
        return result
    setattr(owner, name, replaced)

from ipybgjobs.state import attempt

if sys.argv[1] == "forkserver":
    from ipybgjobs.executors.local import forkserver
    from ipybgjobs.system import worker
    from ipybgjobs.worker import run
{forkserver}
    forkserver.main(sys.argv[2], int(sys.argv[3]))
    sys.exit()

from ipybgjobs.state import wake
from ipybgjobs.executors import registry
from ipybgjobs.executors.local import server_process
from ipybgjobs.executors.local.executor import LocalExecutor
from ipybgjobs.state.folder import StateFolder
from ipybgjobs.system import identity, place, tree
from ipybgjobs.system.lock import FileLock
from ipybgjobs.system.wakeup import WakeupListener
from ipybgjobs.store import database
from ipybgjobs.store.database import Database
from ipybgjobs.supervisor import loop, starts
from ipybgjobs.supervisor import main as program

command = server_process.command
server_process.command = lambda role, *rest, **options: (
    [sys.executable, sys.argv[0], role, *rest] if role == "forkserver" else command(role, *rest, **options)
)
registry.begin = lambda *_: None  # a fork of this process would have the wrong functions
{supervisor}
folder = StateFolder(sys.argv[2])
turn = FileLock.acquire(folder.next_lock(place.here()), wait=True)
program.main(folder.path, turn.descriptor)
"""


def driven(place: Place, supervisor: str, forkserver: str = "") -> "subprocess.Popen[bytes]":
    """Start a supervisor with one boundary prepared, and wait until it listens."""
    StateFolder(str(place.state)).create()
    driver = place.root / "driver.py"
    code = _DRIVER.replace("{supervisor}", textwrap.dedent(supervisor))
    driver.write_text(code.replace("{forkserver}", textwrap.indent(textwrap.dedent(forkserver), "    ")))
    process = subprocess.Popen([sys.executable, driver, "supervisor", place.state], cwd="/")
    until(lambda: has_socket(place) or process.poll() is not None, "a driven supervisor")
    return process


def own_supervisor(place: Place, clock: Callable[[], float]) -> Supervisor:
    """A supervisor in this process, which ticks when it is told to; the caller holds the lock."""
    folder = StateFolder(str(place.state))
    return Supervisor(folder, registry.create(registry.DEFAULT, folder), clock=clock)


def script(place: Place, code: str, *arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, cwd=place.code, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


LAUNCH = {
    "claimed, not committed": "after(starts.Starter, 'claim', die, lambda result, *_: result[0])",
    "committed, no folder": "starts.Starter.launch = die",
    "a folder, no request": "after(starts, 'make_attempt_folder', die)",
    "a request, not sent": "before(LocalExecutor, 'launch', die, lambda _, launches: launches)",
    "sent": "after(LocalExecutor, 'launch', die, lambda _, __, launches: launches)",
}
