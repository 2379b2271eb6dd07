"""What every test has: a state folder and configuration of its own, and a look for processes that it left behind."""

import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipybgjobs import client as client_module
from ipybgjobs import inspection
from ipybgjobs.client import Client
from support.place import ALLOWED, TESTS, Place, end

#: Folders whose tests are marked by the folder's name; the inner loop leaves them out.
MARKED = {"kernel", "browser", "crash"}


def pytest_configure() -> None:
    """A run in the background of a shell starts with Ctrl-C ignored, and so would every process that a test interrupts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test bears the marker that its folder is named after, so that none is forgotten."""
    for item in items:
        for folder in MARKED & set(item.path.relative_to(TESTS).parts[:-1]):
            item.add_marker(folder)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A place of its own, with the module `work` allowed; processes left behind fail the test."""
    made = Place(tmp_path)
    monkeypatch.setenv("IPYBGJOBS_STATE_DIR", str(made.state))
    monkeypatch.setenv("IPYBGJOBS_CONFIG", str(made.config_file))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter-data"))
    runtime = tempfile.mkdtemp(prefix="bgjobs-")  # short, since sockets' addresses are
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", runtime)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.syspath_prepend(str(made.code))
    monkeypatch.setattr(inspection, "_seen", None)
    made.module("work")
    made.allow(ALLOWED)
    client_module.use(Client())
    before = set(sys.modules)
    yield made
    client_module.client().close()
    client_module.use(None)
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "") or "").startswith(str(tmp_path)):
            del sys.modules[name]
    shutil.rmtree(runtime, ignore_errors=True)
    end(made)
