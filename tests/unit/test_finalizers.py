"""An object is released without a word: one whose making was interrupted, and one that is left at the end of Python."""

import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import ipybgjobs

PACKAGE = Path(ipybgjobs.__file__).parent


def finalized():
    """The classes of the package that do something when they are released."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if "__del__" in path.read_text(encoding="utf-8"):
            module = importlib.import_module(".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts))
            for _, cls in inspect.getmembers(module, inspect.isclass):
                if cls.__module__ == module.__name__ and "__del__" in vars(cls):
                    yield cls


@pytest.mark.parametrize("cls", list(finalized()), ids=lambda cls: cls.__name__)
def test_what_was_interrupted_before_its_first_attribute_is_released_without_a_word(cls, monkeypatch):
    told = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: told.append(unraisable.exc_value))
    half_made = cls.__new__(cls)
    del half_made
    assert told == []


#: A daemon thread that Python stops at its end, within the opening of a connection: nothing gives back its lock then.
_ENDS = """
import functools, sqlite3, sys, threading, time
from ipybgjobs.store import connection

kept = connection.ThreadConnection(sys.argv[1])
kept.open(functools.partial(sqlite3.connect, sys.argv[1])).execute("CREATE TABLE works (a)")
other = connection.ThreadConnection(sys.argv[1])
threading.Thread(target=other.open, args=(functools.partial(time.sleep, 99),), daemon=True).start()
while connection._not_forking.acquire(blocking=False):
    connection._not_forking.release()
    time.sleep(0.01)
"""


def test_a_process_ends_although_a_daemon_thread_is_stopped_while_it_opens_a_connection(tmp_path):
    command = [sys.executable, "-c", _ENDS, str(tmp_path / "store.db")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
