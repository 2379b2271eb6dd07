"""The module that runs is the one that the caller has imported, wherever the caller is by then; or a refusal says why not."""

import importlib
import importlib.util
import sys
import types
import zipfile

import pytest

import ipybgjobs as bg
from ipybgjobs.client.client import client
from ipybgjobs.client.submit import preparation
from ipybgjobs.client.submit.stages import SubmitRequest
from ipybgjobs.targets import bytecode, import_path

pytestmark = pytest.mark.shared_place

SAYS = "import os\ndef fit():\n    return [{!r}, os.getcwd()]\n"


@pytest.fixture
def folders(place, monkeypatch):
    """Two folders with a module and a package of the same names; this process is in the first, which is on its path as ``''``."""
    for name in ("a", "b"):
        write(place.root / name / "training.py", name)
        write(place.root / name / "package" / "__init__.py", name)
        write(place.root / name / "package" / "inner.py", name)
        write(place.root / name / "space" / "part.py", name)
    keys = ("training", "package", "package.inner", "space.part")
    place.allow({key: ["fit"] for key in keys})
    monkeypatch.chdir(place.root / "a")
    monkeypatch.syspath_prepend("")
    yield place.root
    for name in (*keys, "space"):
        sys.modules.pop(name, None)


def write(path, name):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SAYS.format(name))


KEYS = ["training", "package", "package.inner", "space.part"]


def test_what_python_passes_over_on_its_path_is_passed_over(folders, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, folders / "b", b"bytes", 5, None])
    assert bg.submit("training.fit").result(60) == ["a", str(folders / "a")]


@pytest.mark.parametrize("key", KEYS)
def test_a_module_that_was_imported_runs_after_a_change_of_folder(folders, monkeypatch, key):
    importlib.import_module(key)
    monkeypatch.chdir(folders / "b")
    job = bg.submit(f"{key}.fit")
    assert job.result(60) == ["a", str(folders / "b")]
    assert job.attempts[0].source.path.startswith(str(folders / "a"))
    assert job.changes() == []
    assert [each.result(60)[0] for each in bg.submit_many(f"{key}.fit", [{}]).jobs] == ["a"]
    waiting = bg.submit(f"{key}.fit", delay="1h")
    waiting.cancel()
    assert waiting.retry().result(60)[0] == "a"


def test_it_runs_where_no_other_of_its_name_would_be_found(folders, monkeypatch):
    importlib.import_module("training")
    monkeypatch.chdir(folders)
    assert bg.submit("training.fit").result(60) == ["a", str(folders)]


def test_a_module_that_is_not_imported_yet_is_the_one_of_the_folder_of_now(folders, monkeypatch):
    monkeypatch.chdir(folders / "b")
    assert bg.submit("training.fit").result(60) == ["b", str(folders / "b")]


def test_a_relative_entry_of_the_path_is_meant_as_it_was_when_the_module_was_imported(folders, monkeypatch):
    monkeypatch.chdir(folders)
    monkeypatch.syspath_prepend("a")
    importlib.import_module("training")
    (folders / "b" / "a").mkdir()
    write(folders / "b" / "a" / "training.py", "wrong")
    monkeypatch.chdir(folders / "b")
    assert bg.submit("training.fit").result(60)[0] == "a"


def test_one_that_was_edited_since_is_looked_at_and_runs_from_where_it_was(folders, monkeypatch):
    importlib.import_module("training")
    monkeypatch.chdir(folders / "b")
    (folders / "a" / "training.py").write_text("def fit(new: int):\n    return new\n")
    assert bg.submit("training.fit", {"new": "5"}).result(60) == 5
    assert bg.run_here("training.fit", {"new": "6"}) == 6


@pytest.mark.parametrize("asked", [False, True], ids=["alone", "beside a finder that asks the others"])
@pytest.mark.parametrize("relative", [False, True])
def test_a_module_of_an_archive_is_found_again_or_refused(folders, monkeypatch, relative, asked):
    if asked:  # as another thread has it that looks at a module; what it finds is what Python remembers of another folder
        monkeypatch.setattr(sys, "meta_path", [bytecode.Finder(), *sys.meta_path])
    with zipfile.ZipFile(folders / "a" / "code.zip", "w") as archive:
        archive.writestr("zipped.py", SAYS.format("zip"))
    monkeypatch.syspath_prepend("code.zip" if relative else str(folders / "a" / "code.zip"))
    try:
        importlib.import_module("zipped")
        assert import_path.folders_first(["zipped"]) == ()
        monkeypatch.chdir(folders / "b")
        if relative:  # whose place Python itself has forgotten
            with pytest.raises(bg.InvalidTarget, match=r"zipped was imported here from code\.zip/zipped\.py, .* not find it"):
                import_path.folders_first(["zipped"])
        else:
            sys.path.remove(str(folders / "a" / "code.zip"))
            assert import_path.folders_first(["zipped"]) == (str(folders / "a" / "code.zip"),)
    finally:
        sys.modules.pop("zipped", None)


def test_many_that_look_at_modules_at_once_ask_the_other_finders_once_each(monkeypatch):
    class Counting:
        asked = 0

        def find_spec(self, name, path=None, target=None):
            Counting.asked += 1

    monkeypatch.setattr(sys, "meta_path", [*(bytecode.Finder() for _ in range(12)), Counting()])
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("of_no_folder")
    assert Counting.asked == 13


@pytest.mark.parametrize("there", ["b", ""], ids=["another", "none"])
def test_where_no_folder_leads_to_it_the_refusal_says_why(folders, monkeypatch, there):
    importlib.import_module("training")
    (folders / "a" / "training.py").unlink()
    monkeypatch.chdir(folders / there)
    found = f"would find {folders / 'b' / 'training.py'}" if there else "would not find it"
    with pytest.raises(bg.InvalidTarget) as error:
        bg.submit("training.fit")
    assert str(error.value) == (
        f"training was imported here from {folders / 'a' / 'training.py'}, but a job started in {folders / there} {found}: "
        "restart the kernel and import it again, so that both use the same file."
    ).replace(f"{folders}/ ", f"{folders} ")


def test_what_a_finder_of_an_installation_knows_needs_no_folder(folders, monkeypatch):
    write(folders / "elsewhere" / "training.py", "installed")

    class Editable:
        @staticmethod
        def find_spec(name, path=None, target=None):
            where = folders / "elsewhere" / f"{name}.py"
            return importlib.util.spec_from_file_location(name, where) if name == "training" else None

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Editable])
    monkeypatch.chdir(folders)
    importlib.import_module("training")
    assert import_path.folders_first(["training.Trainer"]) == ()


@pytest.mark.parametrize("key", ["sys", "os.path", "json", "json.decoder.JSONDecoder", "none_such", "made"])
def test_what_is_found_anyway_or_has_no_file_needs_no_folder(monkeypatch, key):
    monkeypatch.setitem(sys.modules, "made", types.ModuleType("made"))
    assert import_path.folders_first([key]) == ()


def test_what_is_explained_is_what_would_run(folders, monkeypatch):
    importlib.import_module("training")
    monkeypatch.chdir(folders / "b")
    request = SubmitRequest("training.fit", [{}], None, {})
    ready = preparation.prepare_submit(request, client().settings(), 0.0)
    assert ready.path_prefix == (str(folders / "a"),)
    assert ready.job.submission.source[0] == str(folders / "a" / "training.py")
