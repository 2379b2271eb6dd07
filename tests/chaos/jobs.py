"""What runs in the chaos: jobs of all kinds, each of which says in the ledger that it began and how it left.

The value of a job follows from its token alone, so that anybody can tell a right result from a wrong one. What a job starts it
also ends, unless somebody kills it first.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from typing import Any

import ipybgjobs as bg

from .ledger import Ledger

#: Variables that say where the ledger is, and hold what must be found in no file afterwards.
LEDGER, SECRET = "CHAOS_LEDGER", "CHAOS_SECRET"

#: In an attempt folder: which children the job has had there.
_CHILDREN = "children.jsonl"

#: Seconds that a child would live if nobody ended it.
CHILD_SECONDS = 3600


def value_of(token: str) -> int:
    """What the job with this token returns."""
    return zlib.crc32(token.encode())


def blob_of(token: str) -> set[str]:
    """A parameter that is no plain JSON."""
    return {token, token[::-1]}


def large_of(token: str, size: int) -> bytes:
    """A value that is written to a file of its own."""
    return value_of(token).to_bytes(4, "big") * (size // 4)


def _note(what: str, token: str, **facts: object) -> None:
    job = bg.current_job()
    assert job is not None
    where = {"job": job.id, "uid": job.uid, "attempt": job.attempt, "folder": os.path.basename(job.folder)}
    Ledger(os.environ[LEDGER]).write(what, token=token, **where, **facts)


@contextlib.contextmanager
def _told(token: str) -> Iterator[None]:
    """Say that the method began, and how it left."""
    _note("began", token, environment=SECRET in os.environ)
    try:
        yield
    except BaseException as error:
        fine = isinstance(error, SystemExit) and error.code in (None, 0)
        _note("ended" if fine else "raised", token, type=type(error).__name__)
        raise
    _note("ended", token)


class Work:
    """Jobs whose end follows from what they do."""

    def plain(self, token: str, seconds: float = 0.0) -> int:
        """Return a number, after a while."""
        with _told(token):
            time.sleep(seconds)
            return value_of(token)

    def pickled(self, token: str, blob: Any, shared: Any = None) -> int:
        """Return a number if parameters that were sent by pickle have arrived."""
        with _told(token):
            if blob != blob_of(token) or shared not in (None, {1, 2, 3}):
                raise ValueError(f"{token} was sent something else: {blob!r}, {shared!r}")
            return value_of(token)

    def prints(self, token: str, lines: int) -> int:
        """Print, also from a child."""
        with _told(token):
            for number in range(lines):
                print(token, "line", number)
            sys.stdout.flush()
            child = os.system(f"echo {token} from a child")
            _note("printed", token, lines=lines, child=child == 0)
            return value_of(token)

    def displays(self, token: str) -> int:
        """Display something rich."""
        with _told(token):
            from IPython.display import HTML, display

            display(HTML(f"<b>{token}</b>"))
            return value_of(token)

    def reports(self, token: str) -> int:
        """Say how far it is."""
        with _told(token):
            for step in bg.progress(range(20), label=token):
                bg.report(step, 20, "on its way")
                time.sleep(0.005)
            return value_of(token)

    def catches(self, token: str, seconds: float) -> int:
        """Catch an interrupt and return as if nothing had been."""
        with _told(token):
            try:
                time.sleep(seconds)
            except KeyboardInterrupt:
                _note("caught", token)
            return value_of(token)

    def fails(self, token: str, before: int) -> int:
        """Fail in every attempt before a certain one."""
        with _told(token):
            job = bg.current_job()
            assert job is not None
            if job.attempt < before:
                raise ConnectionError(f"{token}: not yet")
            return value_of(token)

    def complains(self, token: str, size: int) -> None:
        """Raise with a long message."""
        with _told(token):
            raise RuntimeError(token + " " + "x" * size)

    def exits(self, token: str, code: int) -> None:
        """Leave by `sys.exit`."""
        with _told(token):
            sys.exit(code)

    def vanishes(self, token: str, code: int) -> None:
        """Print and leave without a word, by `os._exit`, or by SIGKILL where the code is negative."""
        with _told(token):
            print(token, "was here", flush=True)
            if code < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            os._exit(code)

    def unkept(self, token: str) -> Any:
        """Return what can't be kept."""
        with _told(token):
            return threading.Lock()

    def large(self, token: str, size: int) -> bytes:
        """Return much."""
        with _told(token):
            return large_of(token, size)

    def children(self, token: str, seconds: float) -> int:
        """Have children, one in a session of its own, and end them; look whether an earlier attempt's live on beside this one."""
        with _told(token), contextlib.ExitStack() as stack:
            for pid in _living_children_of_earlier_attempts():
                _note("company", token, pid=pid)
            for alone in (False, True):
                child = subprocess.Popen(["sleep", str(CHILD_SECONDS)], start_new_session=alone)
                stack.callback(_end, child)
                Ledger(f"{_folder()}/{_CHILDREN}").write("child", pid=child.pid)
            time.sleep(seconds)
            return value_of(token)

    def forks(self, token: str) -> int:
        """Fork, and wait for the fork."""
        with _told(token):
            child = os.fork()
            if not child:
                os._exit(7)
            _, status = os.waitpid(child, 0)
            return value_of(token) if os.waitstatus_to_exitcode(status) in (7, -signal.SIGKILL) else -1


class Hooked:
    """A class that is told how its jobs have ended."""

    def __init__(self, token: str) -> None:
        self.token = token

    def run(self, token: str, *, fail: bool) -> int:
        """Succeed or fail."""
        with _told(token):
            if fail:
                raise bg.Fail(f"{token} fails as it should")
            return value_of(token)

    def on_success(self, result: Any) -> None:
        """The job has succeeded."""
        _note("hook", self.token, right=result == value_of(self.token))

    def on_failure(self, exception: BaseException) -> None:
        """The job has failed."""
        _note("hook", self.token, right=isinstance(exception, BaseException))


def _folder() -> str:
    job = bg.current_job()
    assert job is not None
    return job.folder


def _living_children_of_earlier_attempts() -> list[int]:
    job = os.path.dirname(_folder())
    known = [event["pid"] for name in os.listdir(job) for event in Ledger(f"{job}/{name}/{_CHILDREN}").read()]
    return [pid for pid in known if _sleeps(pid)]


def _sleeps(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as line:
            return line.read() == b"sleep\0%d\0" % CHILD_SECONDS  # nothing where it is a zombie
    except OSError:
        return False


def _end(child: "subprocess.Popen[bytes]") -> None:
    child.kill()
    child.wait()


#: This module as clients and workers know it, whatever it was imported as here.
MODULE = "chaos.jobs"

#: What the configuration allows.
ALLOWED = {f"{MODULE}.Work": [name for name in vars(Work) if not name.startswith("_")], f"{MODULE}.Hooked": ["run"]}
