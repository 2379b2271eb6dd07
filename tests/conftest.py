"""What every test has: a state folder and configuration of its own, and a look for processes that it left behind."""

import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ipybgjobs.client import client as client_module
from ipybgjobs.client.client import Client
from ipybgjobs.targets import inspection
from support.attempts import TRIES
from support.control import Control
from support.interrupts import Bench
from support.place import ALLOWED, TESTS, Place, end
from support.processes import end_attempts
from support.scheduling import ByFile

#: Folders whose tests are marked by the folder's name; the inner loop leaves them out.
MARKED = {"kernel", "browser", "crash"}


def pytest_configure() -> None:
    """Start as users do: a shell's background run ignores Ctrl-C, and a machine for tests may set what users rarely set.

    Only in a place is there a store: no test reaches that of whoever runs the tests.
    """
    os.environ.pop("PYTHONUNBUFFERED", None)
    os.environ["IPYBGJOBS_STATE_DIR"] = f"{__file__}/none outside a place"
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    return ByFile(config, log)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Whole folders that the command leaves out are not even imported, once for each process that runs tests."""
    left_out = {TESTS / folder for folder in MARKED if f"not {folder}" in config.option.markexpr}
    return True if collection_path in left_out else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test bears the marker that its folder is named after, so that none is forgotten."""
    for item in items:
        if item.path.parent.name in MARKED:
            item.add_marker(item.path.parent.name)


def forget_modules(folder: Path) -> None:
    """Another module of the same name is imported anew."""
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "") or "").startswith(f"{folder}/"):
            del sys.modules[name]


@contextlib.contextmanager
def opened(root: Path, patch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A place of its own, with the module `work` allowed; processes left behind fail the test."""
    made = Place(root)
    patch.setenv("IPYBGJOBS_STATE_DIR", str(made.state))
    patch.setenv("IPYBGJOBS_CONFIG", str(made.config_file))
    patch.setenv("JUPYTER_CONFIG_DIR", str(root / "jupyter"))
    patch.setenv("JUPYTER_DATA_DIR", str(root / "jupyter-data"))
    runtime = tempfile.mkdtemp(prefix="bgjobs-")  # short, since sockets' addresses are
    patch.setenv("JUPYTER_RUNTIME_DIR", runtime)
    patch.setenv("IPYTHONDIR", str(root / "ipython"))
    patch.syspath_prepend(str(made.code))
    patch.setattr(inspection, "_imports", None)
    made.module("work")
    made.allow(ALLOWED)
    outer = client_module._client
    client_module.use(Client())
    forget_modules(root.parent)  # those of a place that this one stands in for
    yield made
    client_module.client().close()
    client_module.use(outer)
    forget_modules(root)
    shutil.rmtree(runtime, ignore_errors=True)
    end(made)


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Place:
    """A place for one test; in a file marked `shared_place`, that of the file, unless the test is marked `own_place`."""
    marked = request.node.get_closest_marker
    shared = marked("shared_place") and not marked("own_place")
    found: Place = request.getfixturevalue("shared_place" if shared else "own_place")
    if shared:  # whatever the test before has written
        found.module("work")
        found.allow(ALLOWED)
    return found


@pytest.fixture
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A place that no other test has used; what the test itself has changed is undone before it ends, or as the test wishes."""
    with pytest.MonkeyPatch.context() as patch, opened(tmp_path, patch) as made:
        yield made
        monkeypatch.undo()


@pytest.fixture(scope="module")
def kept_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A place for all tests of a file; ask for `shared_place`."""
    with pytest.MonkeyPatch.context() as patch, opened(tmp_path_factory.mktemp("shared"), patch) as made:
        made.is_shared = True
        yield made


@pytest.fixture
def shared_place(kept_place: Place) -> Iterator[Place]:
    """A place that other tests of the file use too, one after another: for jobs of which each test looks only at its own.

    Starting a supervisor and its fork server takes ten times as long as most jobs. What the test has written is removed: its
    files and modules, not its jobs.
    """
    before = _entries(kept_place)
    yield kept_place
    end_attempts(kept_place)
    for path in _entries(kept_place) - before:
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() and not path.is_symlink() else path.unlink()
    shutil.rmtree(kept_place.code / "__pycache__", ignore_errors=True)
    forget_modules(kept_place.root)


def _entries(place: Place) -> set[Path]:
    return {*place.root.iterdir(), *place.code.iterdir()} - {place.state}


@pytest.fixture
def bench(place: Place) -> Iterator[Bench]:
    made = Bench()
    yield made
    made.close()


@pytest.fixture
def control(place: Place) -> Control:
    place.module("control")
    made = Control(place)
    made.configure()
    return made


def allow_tries(place: Place) -> Place:
    place.module("tries")
    place.allow({"tries": TRIES}, BackgroundJobs__idle_seconds=0.1)
    return place


@pytest.fixture
def tries(shared_place: Place) -> Place:
    return allow_tries(shared_place)


@pytest.fixture
def tries_alone(place: Place) -> Place:
    """The same in a place of its own."""
    return allow_tries(place)
