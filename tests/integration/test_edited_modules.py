"""Modules that changed since they were imported, or that only one folder leads to."""

import contextlib
import importlib
import os
import sys
import time

import pytest

import ipybgjobs as bg
from ipybgjobs.client.client import client
from ipybgjobs.client.submit import encoding, preparation
from ipybgjobs.client.submit.stages import SubmitRequest
from ipybgjobs.targets import inspection_process
from support.refusals import refused

# -- a module that counts from one folder only --------------------------------------------------------------------------


def library(folder, text, marker=None):
    folder.mkdir(parents=True, exist_ok=True)
    line = f"open({str(marker)!r}, 'w').close()\n" if marker else ""
    (folder / "library.py").write_text(f"{line}class Thing:\n    def run(self):\n        return {text!r}\n")


def test_a_module_is_taken_from_the_folder_that_its_entry_names(place):
    library(place.root / "shared", "the right one")
    library(place.code, "another", place.root / "ran")
    place.allow({"library.Thing": {"allowed_methods": ["run"], "from": str(place.root / "shared")}})
    assert bg.submit("library.Thing.run").result(60) == "the right one"
    assert not (place.root / "ran").exists()


@pytest.mark.parametrize("allowed_folder", ["shared", "cod"])
def test_a_module_found_anywhere_else_is_refused_and_its_code_does_not_run(place, allowed_folder):
    (place.root / allowed_folder).mkdir()
    library(place.code, "another", place.root / "ran")
    place.allow({"library.Thing": {"allowed_methods": ["run"], "from": str(place.root / allowed_folder)}})
    with refused(place, bg.JobNotAllowed, f"library is allowed only from .*{allowed_folder}, but does not exist there"):
        bg.submit("library.Thing.run")
    assert not (place.root / "ran").exists()


@pytest.mark.parametrize("kind", ["package", "namespace"])
def test_code_from_elsewhere_does_not_run_in_the_place_of_a_folder_without_init(place, kind):
    library(place.root / "shared" / "pack", "the right one")
    library(place.code / "pack", "another", place.root / "ran")
    if kind == "package":
        (place.code / "pack" / "__init__.py").write_text(f"open({str(place.root / 'ran')!r}, 'w').close()\n")
    else:
        (place.root / "shared" / "pack" / "library.py").unlink()
    place.allow({"pack.library.Thing": {"allowed_methods": ["run"], "from": str(place.root / "shared")}})
    with contextlib.suppress(bg.JobNotAllowed, bg.InvalidTarget):
        assert bg.submit("pack.library.Thing.run").result(60) == "the right one"
    assert not (place.root / "ran").exists()


@pytest.mark.parametrize("link", ["library.py", "pack/library.py", "pack/__init__.py"])
def test_a_module_that_is_a_link_out_of_its_folder_is_refused_before_it_runs(place, link):
    library(place.root / "elsewhere", "another", place.root / "ran")
    target = place.root / "shared" / link
    (place.root / "shared" / "pack").mkdir(parents=True)
    (place.root / "shared" / "pack" / "__init__.py").touch()
    target.unlink(missing_ok=True)
    target.symlink_to(place.root / "elsewhere" / "library.py")
    key = {"library.py": "library.Thing", "pack/library.py": "pack.library.Thing", "pack/__init__.py": "pack.Thing"}[link]
    place.allow({key: {"allowed_methods": ["run"], "from": str(place.root / "shared")}})
    with refused(place, bg.JobNotAllowed, "is allowed only from .*shared, but it was found in .*elsewhere/library.py"):
        bg.submit(f"{key}.run")
    assert not (place.root / "ran").exists()


def test_a_folder_without_init_below_a_package_of_the_named_folder_is_a_part_of_it(place):
    library(place.root / "shared" / "pack" / "part", "the right one")
    (place.root / "shared" / "pack" / "__init__.py").touch()
    place.allow({"pack.part.library.Thing": {"allowed_methods": ["run"], "from": str(place.root / "shared")}})
    assert bg.submit("pack.part.library.Thing.run").result(60) == "the right one"


# -- edited source ------------------------------------------------------------------------------------------------------


def test_an_edited_module_just_works(place):
    place.module("draft", "def run(a): return ['old', a]")
    place.allow({"draft": ["run"]})
    assert bg.submit("draft.run", {"a": 1}).result(60) == ["old", 1]
    place.module("draft", "def run(a, b): return ['new', a, b]")
    assert bg.submit("draft.run", {"a": 1, "b": 2}).result(60) == ["new", 1, 2]
    with pytest.raises(bg.InvalidParameters, match="missing the required parameter b"):
        bg.submit("draft.run", {"a": 1})


def test_an_edited_base_class_in_another_module_just_works(place):
    place.module("base", "class Base:\n    def run(self, a): return ['old', a]")
    place.module("draft", "from base import Base\nclass Draft(Base): pass")
    place.allow({"draft.Draft": ["run"]})
    assert bg.submit("draft.Draft.run", {"a": 1}).result(60) == ["old", 1]
    place.module("base", "class Base:\n    def run(self, a, b): return ['new', a, b]")
    assert bg.submit("draft.Draft.run", {"a": 1, "b": 2}).result(60) == ["new", 1, 2]


def test_a_module_that_was_broken_works_once_it_is_mended(place):
    place.module("draft", "def run(:")
    place.allow({"draft": ["run"]})
    with refused(place, bg.InvalidTarget, "SyntaxError"):
        bg.submit("draft.run")
    place.module("draft", "def run(): return 'mended'")
    assert bg.submit("draft.run").result(60) == "mended"


@pytest.fixture
def looks(monkeypatch):
    """The fresh processes that were asked; each runs."""
    found, ask = [], inspection_process.ask
    monkeypatch.setattr(inspection_process, "ask", lambda question: found.append(1) or ask(question))
    return found


def later(path, seconds):
    """Give a file a date that no file had before it."""
    date = time.time() + seconds
    os.utime(path, (date, date))


def test_a_module_that_was_only_touched_is_not_looked_at_in_a_fresh_process(place, looks):
    path = place.module("draft", "def run(a): return a")
    place.allow({"draft": ["run"]})
    bg.submit("draft.run", {"a": 1})
    for seconds in (5, 10):
        later(path, seconds)
        bg.submit("draft.run", {"a": 2})
    assert looks == []


#: Text that does not tell what its function takes, since a decorator may change it.
DECORATED = "def same(function): return function\n@same\n"


def test_an_edited_module_is_imported_once_in_a_fresh_process_and_not_at_every_submit(place, looks):
    path = place.module("draft", "def run(a): return a")
    place.allow({"draft": ["run"]})
    bg.submit("draft.run", {"a": 1})
    place.module("draft", f"{DECORATED}def run(a: int, b: list[int] | None = None): return [a, b]")
    later(path, 5)
    assert bg.submit("draft.run", {"a": "1"}).result(60) == [1, None]
    later(path, 10)  # a touch
    assert bg.submit("draft.run", {"a": "2", "b": ["3"]}).result(60) == [2, [3]]
    with pytest.raises(bg.InvalidParameters, match=r"run\(\): a='x' does not fit int"):
        bg.submit("draft.run", {"a": "x"})
    assert len(looks) == 1
    place.module("draft", f"{DECORATED}def run(c): return c")
    later(path, 15)
    assert bg.submit("draft.run", {"c": 4}).result(60) == 4
    assert len(looks) == 2


@pytest.mark.parametrize(
    "source",
    [
        "import enum\nclass Kind(enum.Enum):\n    A = 'a'\ndef run(a: Kind = Kind.A): return a.value",
        "class Job:\n    def run(self, a='a'): return a\n    @classmethod\n    def on_submit(cls, method, params): return params",
    ],
    ids=["a type of its own", "parameters that the class prepares"],
)
def test_what_only_the_module_itself_can_say_is_asked_each_time(place, looks, source):
    target = "draft.Job.run" if "Job" in source else "draft.run"
    place.module("draft", source)
    place.allow({"draft": ["run"], "draft.Job": ["run"]})
    assert [bg.submit(target, {"a": "a"}).result(60) for _ in range(2)] == ["a", "a"]
    assert len(looks) == 2


def test_a_module_from_a_named_folder_is_looked_at_once(place, looks):
    library(place.root / "shared", "the right one")
    text = (place.root / "shared" / "library.py").read_text()
    (place.root / "shared" / "library.py").write_text(f"import abc\n{text.replace('Thing', 'Thing(abc.ABC)')}")
    place.allow({"library.Thing": {"allowed_methods": ["run"], "from": str(place.root / "shared")}})
    jobs = [bg.submit("library.Thing.run") for _ in range(3)]
    assert [job.result(60) for job in jobs] == ["the right one"] * 3
    assert len(looks) == 1


# -- nothing is imported here -------------------------------------------------------------------------------------------

NOISY = """
    import enum, os
    print("imported")
    os.environ["IMPORTED"] = "yes"

    class Kind(enum.Enum):
        A = "a"

    class Options:
        def __init__(self, value, password="hunter22"):
            self.value, self.password = value, password

        @classmethod
        def __get_pydantic_core_schema__(cls, source, handler):
            from pydantic_core import core_schema
            return core_schema.no_info_plain_validator_function(cls)

    class Job:
        def __init__(self, rate: float = 0.1):
            self.rate = rate

        def plain(self, n: int, names: list[str] | None = None):
            return [self.rate, n, names]

        def typed(self, kind: Kind = Kind.A, more: list[Kind] = ()):
            return [kind.name, [each.name for each in more]]

        def made(self, options: Options):
            return options.value

        def broken(self, kind: Kind, n: int):
            return n

    class Prepared(Job):
        @classmethod
        def on_submit(cls, method, params):
            print("prepared")
            return {**params, "n": params["n"] + 1}
"""

CALLS = {
    "a plain method": ("Job.plain", {"n": 1, "names": ["x"]}, [0.1, 1, ["x"]]),
    "types of the module": ("Job.typed", {"kind": "a", "more": ["a"]}, ["A", ["A"]]),
    "a class with fields": ("Job.made", {"options": 3}, 3),
    "parameters that the class prepares": ("Prepared.plain", {"n": 1}, [0.1, 2, None]),
}


@pytest.fixture
def noisy(place):
    place.module("noisy", NOISY)
    place.allow({"noisy.Job": ["plain", "typed", "made", "broken"], "noisy.Prepared": ["plain"]})
    return place


@pytest.mark.parametrize(("target", "params", "value"), CALLS.values(), ids=CALLS)
def test_a_submit_imports_nothing_here_and_prints_nothing(noisy, capsys, target, params, value):
    known = set(sys.modules)
    job = bg.submit(f"noisy.{target}", params)
    assert job.result(60) == value
    assert "noisy" not in set(sys.modules) - known
    assert "IMPORTED" not in os.environ
    assert "imported" not in "".join(capsys.readouterr())


@pytest.mark.parametrize(("target", "params", "value"), CALLS.values(), ids=CALLS)
def test_the_same_is_stored_whether_the_module_is_imported_here_or_not(noisy, target, params, value):
    before, job = stored(target, params), bg.submit(f"noisy.{target}", params)
    assert job.result(60) == value
    assert "noisy" not in sys.modules
    import_noisy(noisy)
    assert stored(target, params) == before
    assert bg.submit(f"noisy.{target}", params, reuse=True) == job


def stored(target, params):
    """What a job stores of its call, and its unique key."""
    _, encoded, inspected = preparation.bind_call(SubmitRequest(f"noisy.{target}", [params], None, {}), client().settings())
    return encoded.call, encoded.contents, encoding.identity_of(encoded), inspected.signature.hooks, inspected.signature.source


def import_noisy(place):
    """Import the module here, as a notebook does that uses it, from a file that is older than the process."""
    os.utime(place.code / "noisy.py", (1, 1))
    importlib.invalidate_caches()
    importlib.import_module("noisy")


def test_a_refusal_is_the_same_whether_the_module_is_imported_here_or_not(noisy):
    wrong = [
        ("plain", {"n": "x"}),
        ("plain", {"m": 1}),
        ("plain", {}),
        ("typed", {"kind": "z"}),
        ("broken", {"kind": "a", "n": "x"}),
    ]
    before = [refusal(*each) for each in wrong]
    import_noisy(noisy)
    assert [refusal(*each) for each in wrong] == before


def refusal(method, params):
    with pytest.raises(bg.InvalidParameters) as error:
        bg.submit(f"noisy.Job.{method}", params)
    return str(error.value)


def test_what_a_process_has_said_of_a_target_is_kept_for_calls_without_the_modules_own_types(noisy, looks):
    noisy.module("decorated", f"{DECORATED}def run(n: int, kind: 'Kind' = None): return n\nclass Kind: pass")
    noisy.allow({"decorated": ["run"]})
    for n in (1, 2, 3):
        assert bg.submit("decorated.run", {"n": n}).result(60) == n
    assert len(looks) == 1


def test_a_process_that_takes_long_is_named_while_it_does(noisy, capsys):
    noisy.module("slow", "import time\ntime.sleep(1.5)\ndef run(kind: 'Kind'): return 1\nKind = int")
    noisy.allow({"slow": ["run"]})
    bg.submit("slow.run", {"kind": "1"}).wait(60)
    assert capsys.readouterr().err.count("Importing slow in a process of its own, to see what it takes …") == 1


def test_a_secret_in_a_value_of_the_modules_own_class_is_hidden(noisy):
    job = bg.submit("noisy.Job.made", {"options": {"password": "hunter23"}})
    assert "hunter23" not in str(job) + repr(job.params)
    assert job.result(60) == {"password": "hunter23"}
