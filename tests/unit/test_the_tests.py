"""The tests as a tree: each in the folder of its size, each marked by it, none the library of another."""

import ast
import fcntl
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ipybgjobs as bg
from support.jobs import FOLDER, functions
from support.place import TESTS, Place, until

#: Folders of tests, and what each may not use, since a folder with less of it is run more often.
FOLDERS = {
    "unit": {"kernels", "browser", "driver"},
    "store": {"kernels", "browser", "driver"},
    "integration": {"kernels", "magics", "notebooks", "browser"},
    "crash": {"kernels", "magics", "browser"},
    "kernel": {"browser"},
    "browser": set(),
}

MARKERS = {"kernel", "browser", "crash"}


def imported(path: Path) -> set[str]:
    """The modules that a file imports anywhere, by their whole names."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_a_file_of_tests_stands_in_a_folder_of_its_size():
    files = [path.relative_to(TESTS) for path in TESTS.rglob("test_*.py")]
    assert [path for path in files if path.parts[0] not in FOLDERS or len(path.parts) != 2] == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_uses_nothing_that_belongs_to_a_larger_size(folder):
    used = {
        path.name: imported(path) & {f"support.{name}" for name in FOLDERS[folder]} for path in (TESTS / folder).rglob("*.py")
    }
    assert {name: modules for name, modules in used.items() if modules} == {}


def test_nothing_imports_tests_or_their_fixtures():
    found = {str(path): {part for name in imported(path) for part in name.split(".")} for path in TESTS.rglob("*.py")}
    assert [path for path, parts in found.items() if any(part.startswith("test_") or part == "conftest" for part in parts)] == []


def test_a_marker_is_a_folder_and_its_tests_bear_it_and_crash_alone_is_borne_elsewhere_too(request):
    declared = {line.partition(":")[0] for line in request.config.getini("markers")}
    assert declared >= MARKERS
    assert set(FOLDERS) > MARKERS
    for item in request.session.items:
        if TESTS in item.path.parents:
            folder = item.path.relative_to(TESTS).parts[0]
            borne = {mark.name for mark in item.iter_markers()} & MARKERS
            assert borne == {folder} & MARKERS or (borne == {"crash"} and folder not in MARKERS), item.nodeid


def test_every_module_of_jobs_is_used_and_every_one_that_is_used_is_there():
    there = {path.stem for path in FOLDER.glob("*.py")}
    text = "".join(path.read_text() for path in TESTS.rglob("*.py") if path.parent != FOLDER)
    asked = set(re.findall(r'\.module\("(\w+)"\)', text))
    assert asked == there
    assert functions("work") == ["echo", "once_failing"]


_HOLDS = """
import fcntl, sys, time
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
memory = bytearray(30_000_000)
print(flush=True)
time.sleep(99)
"""


def test_a_process_of_a_place_counts_until_its_locks_are_free(tmp_path):
    """One that is killed loses its command line and environment first, and its files a moment later."""
    place, path = Place(tmp_path), tmp_path / "lock"
    for _ in range(20):
        with subprocess.Popen([sys.executable, "-I", "-S", "-c", _HOLDS, path], stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            assert process.pid in place.processes()
            process.kill()
            until(lambda: not place.processes(), "its end")
            with path.open("w") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


# -- places -----------------------------------------------------------------------------------------------------------


def test_outside_a_place_there_is_no_store():
    with pytest.raises(bg.BackgroundJobError, match="none outside a place"):
        bg.jobs()


def test_a_place_stays_when_a_test_undoes_what_it_has_changed(place, monkeypatch):
    monkeypatch.setenv("IPYBGJOBS_STATE_DIR", "/elsewhere")
    monkeypatch.undo()
    assert bg.jobs() == []
    assert Path(os.environ["IPYBGJOBS_STATE_DIR"]) == place.state
