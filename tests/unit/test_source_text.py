"""What a target takes, read from its source: the same as importing tells, or nothing where the text leaves a doubt."""

import importlib
import os
import sys
import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipybgjobs.configuration.settings import AllowedEntry
from ipybgjobs.errors import InvalidParameters
from ipybgjobs.targets import inspection_steps
from ipybgjobs.targets.allowlist import Permission
from ipybgjobs.targets.binding import UNREAD, RawValue
from ipybgjobs.targets.inspection_steps import InspectionRequest
from ipybgjobs.targets.simple_values import NOT_SIMPLE
from support import signatures
from support.signatures import facts, text_of

HEAD = """
    import pathlib
    import typing as t
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any, List, Literal, Optional, Union

    RATE = 0.1
"""


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Writes modules, each of a name that no other test uses, and forgets them."""
    monkeypatch.syspath_prepend(str(tmp_path))
    known = set(sys.modules)

    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        importlib.invalidate_caches()
        return path

    yield write
    for name in set(sys.modules) - known:
        del sys.modules[name]


def told(key, method):
    """What the text tells, which is what importing tells, and imports nothing."""
    known = set(sys.modules)
    answer = text_of(key, method)
    assert set(sys.modules) - known == set()
    if answer is None:
        return None
    imported = signatures.imported(key, method)
    assert imported is not None
    assert facts(answer.signature, imported) == facts(imported, answer.signature)
    return answer.signature


# -- what is plain ----------------------------------------------------------------------------------------------------

PLAIN = {
    "no annotation": "def run(a, b=1, *, c=None, **rest): pass",
    "built-in types": "def run(a: int, b: float = 0.1, c: str = 'x', d: bool = True, e: bytes = b''): pass",
    "paths": "def run(a: Path, b: pathlib.Path = Path('x'), c: 'Path | None' = None): pass",
    "typing": "def run(a: Literal['x', 1], b: Optional[int], c: Union[int, str] = 1, d: Any = (), e: List[int] = []): pass",
    "another name": "def run(a: t.Optional[int], b: t.Literal['x'] = 'x'): pass",
    "lists": "def run(a: list[int], b: list[list[str]] | None = None, c: Sequence[float] = (), d: Mapping[str, int] = {}): pass",
    "tuples": "def run(a: tuple[int, ...], b: dict[str, list[int]], c: set[int] | frozenset[str]): pass",
    "None": "def run(a: None, b: 'None' = None) -> 'Unknown': pass",
    "by position": "def run(a, b: int = 3, /, c=4): pass",
    "a coroutine": "async def run(a: int): pass",
    "a default that only running tells": "def run(a: float = RATE, b=[1, RATE]): pass",
    "an inner generator": "def run(a):\n    def inner(): yield a\n    return list(inner())",
}


@pytest.mark.parametrize("source", PLAIN.values(), ids=PLAIN)
def test_a_plain_function_is_read_from_its_text(written, source):
    written("plain_one.py", textwrap.dedent(HEAD) + source)
    assert told("plain_one", "run") is not None


def test_annotations_that_are_text_all_the_same(written):
    source = "from __future__ import annotations\n" + textwrap.dedent(HEAD) + PLAIN["typing"]
    written("plain_text.py", source)
    assert told("plain_text", "run") is not None


METHODS = """
    class Base:
        def __init__(self, rate: float = 0.1, *, name: str = "x"):
            pass

        def on_failure(self, error):
            pass

        def inherited(self, a: int):
            pass

    class Mixin:
        def mixed(self, b: Optional[Path] = None):
            pass

    class Trainer(Mixin, Base, object):
        steps: int = 3

        def fit(self, epochs: int, /, *, quick: bool = False):
            pass

        @staticmethod
        def free(a: int):
            pass

        @classmethod
        def made(cls, a: int = 1):
            pass

        async def later(self):
            pass

        class Inner:
            def run(self, a: int):
                pass

    if __name__ == "__main__":
        Trainer = None
"""


@pytest.mark.parametrize("method", ["fit", "free", "made", "later", "inherited", "mixed"])
def test_a_plain_method_is_read_with_its_constructor_and_hooks(written, method):
    written("plain_class.py", HEAD + METHODS)
    found = told("plain_class.Trainer", method)
    assert found is not None
    assert found.hooks == ("on_failure",)


def test_a_class_within_a_class_is_read(written):
    written("plain_inner.py", HEAD + METHODS)
    assert told("plain_inner.Trainer.Inner", "run").name == "Trainer.Inner"


def test_bases_and_names_are_followed_into_other_modules_and_no_package_is_imported(written):
    written("pack_a/__init__.py", "from .deep.models import Trainer\nfrom .functions import train as teach\nraise RuntimeError")
    written("pack_a/deep/__init__.py", "raise RuntimeError")
    written("pack_a/deep/models.py", "from ..bases import Base\nclass Trainer(Base):\n    def fit(self, epochs: int): pass")
    written("pack_a/bases.py", "class Base:\n    def __init__(self, rate: float = 0.1): pass")
    written("pack_a/functions.py", "def train(epochs: int): pass")
    found = [text_of(key, method) for key, method in (("pack_a.Trainer", "fit"), ("pack_a", "teach"))]
    assert [each.signature.parameters.parameters[0].annotation for each in found] == [int, int]
    written("pack_a/__init__.py", "from .deep.models import Trainer\nfrom .functions import train as teach")
    written("pack_a/deep/__init__.py", "")
    for key, method in [("pack_a.Trainer", "fit"), ("pack_a.deep.models.Trainer", "fit"), ("pack_a", "teach")]:
        assert told(key, method) is not None


# -- what is not plain ------------------------------------------------------------------------------------------------

TRAINER = "class Trainer:\n    def run(self, a: int): pass\n"

NOT_PLAIN = {
    "a decorator": "def same(f): return f\n@same\ndef run(a): pass",
    "a class decorator": "def same(f): return f\n@same\nclass Trainer:\n    def run(self): pass",
    "a data class": "import dataclasses\n@dataclasses.dataclass\nclass Trainer:\n    a: int\n    def run(self): pass",
    "a metaclass": "class Trainer(metaclass=type):\n    def run(self): pass",
    "an abstract class": "import abc\nclass Trainer(abc.ABC):\n    def run(self): pass",
    "an unknown base": "from nowhere_at_all import Base\nclass Trainer(Base):\n    def run(self): pass",
    "a computed base": "class A: pass\nclass Trainer(*[A]):\n    def run(self): pass",
    "a base that knows its subclasses": f"class A:\n    def __init_subclass__(cls): cls.run = print\n{TRAINER}".replace(
        "Trainer:", "Trainer(A):"
    ),
    "on_submit": f"{TRAINER}    @classmethod\n    def on_submit(cls, method, params): return params",
    "__new__": f"{TRAINER}    def __new__(cls, a): pass",
    "an assigned method": "def other(self, b): pass\nclass Trainer:\n    run = other",
    "a method that is set": f"{TRAINER}Trainer.run = print",
    "a method that is set by name": f"{TRAINER}setattr(Trainer, 'run', print)",
    "a class that is passed on": f"def change(c): c.run = print\n{TRAINER}change(Trainer)",
    "a class of another name": f"{TRAINER}Other = Trainer\nOther.run = print",
    "a constructor that is set": f"{TRAINER}Trainer.__init__ = lambda self, b: None",
    "two definitions": "def run(a): pass\ndef run(b): pass",
    "a definition under a condition": "import os\nif os.name:\n    def run(a): pass",
    "a definition that is tried": "try:\n    import nothing_here\nexcept ImportError:\n    def run(a): pass",
    "a name that is bound again": "def run(a): pass\nrun = print",
    "a name that is deleted": "def run(a): pass\ndel run",
    "a name that a loop binds": "def run(a): pass\nfor run in [print]: pass",
    "a name that a function binds": "def run(a): pass\ndef change():\n    global run\n    run = print\nchange()",
    "a name that an expression binds": "def run(a): pass\n[run := print]",
    "all names of another module": "def run(a): pass\nfrom os.path import *",
    "a lazy module": "def __getattr__(name): raise AttributeError(name)\ndef run(a): pass",
    "globals": "def run(a): pass\nglobals()['run'] = print",
    "another module in its place": "import sys\ndef run(a): pass\nsys.modules[__name__] = sys.modules[__name__]",
    "a generator": "def run(a):\n    yield a",
    "type parameters": "def run[T](a: T): pass" if sys.version_info >= (3, 12) else "run = print",
    "a default by position that only running tells": "RATE = 1\ndef run(a=RATE, /): pass",
    "no self": "class Trainer:\n    def run(*args): pass",
    "a built-in name of its own": "staticmethod = classmethod\nclass Trainer:\n    @staticmethod\n    def run(a): pass",
    "bad syntax": "def run(:",
    "a class as a function": "class run: pass",
    "no such name": "def other(): pass",
}


@pytest.mark.parametrize("source", NOT_PLAIN.values(), ids=NOT_PLAIN)
def test_what_the_text_leaves_in_doubt_is_not_told(written, source):
    written("doubtful.py", source)
    key = "doubtful.Trainer" if "Trainer" in source else "doubtful"
    assert text_of(key, "run") is None


UNKNOWN_TYPES = {
    "a type of its own": "class Kind: pass\ndef run(a: Kind): pass",
    "a type of another module": "from elsewhere import Kind\ndef run(a: Kind): pass",
    "a built-in name of its own": "int = str\ndef run(a: int): pass",
    "a built-in name of its class": "class Trainer:\n    def int(self): pass\n    def run(self, a: int): pass",
    "a type under a condition": "try:\n    from pathlib import Path\nexcept ImportError:\n    Path = str\ndef run(a: Path): pass",
    "an expression": "def run(a: max(int, str, key=str)): pass",
    "a converter": "from typing import Annotated\ndef run(a: Annotated[int, 'x']): pass",
    "text within": "def run(a: list['int']): pass",
}


@pytest.mark.parametrize("source", UNKNOWN_TYPES.values(), ids=UNKNOWN_TYPES)
def test_a_type_that_the_text_does_not_tell_is_left_unread(written, source):
    written("untyped.py", source)
    found = text_of("untyped.Trainer" if "Trainer" in source else "untyped", "run").signature
    assert [each.annotation for each in found.parameters.parameters] == [UNREAD]


@pytest.mark.parametrize("leading", ["__path__ = []", "import sys\nsys.modules['x'] = sys"])
def test_a_package_that_leads_elsewhere_is_not_followed(written, leading):
    written("leading/__init__.py", leading)
    written("leading/plain.py", "def run(a): pass")
    assert text_of("leading.plain", "run") is None


def test_a_file_that_has_the_name_of_a_standard_module_is_not_taken_for_it(written):
    written("random.py", "def run(a): pass")
    assert text_of("random", "run") is None


def test_our_own_classes_are_not_read_whatever_name_leads_to_them(written):
    written("ours.py", "from ipybgjobs.notebooks.job import Notebook")
    assert text_of("ours.Notebook", "run") is None
    assert text_of("ipybgjobs.notebooks.job.Notebook", "run") is None


# -- the one folder ---------------------------------------------------------------------------------------------------


def test_a_module_of_the_one_folder_is_read_from_there(written, tmp_path):
    written("library.py", "def run(other): pass")
    written("shared/library.py", "def run(a: int): pass")
    found = text_of("library", "run", only_from=str(tmp_path / "shared"))
    assert found.signature.source == os.path.realpath(tmp_path / "shared" / "library.py")


@pytest.mark.parametrize("link", ["library.py", "library/__init__.py", "library/part.py"])
def test_a_link_out_of_the_one_folder_is_not_read(written, tmp_path, link):
    elsewhere = written("elsewhere/library.py", "def run(a: int): pass")
    (tmp_path / "shared" / "library").mkdir(parents=True)
    if link == "library/part.py":
        (tmp_path / "shared" / "library" / "__init__.py").touch()
    (tmp_path / "shared" / link).symlink_to(elsewhere)
    key = "library.part" if "part" in link else "library"
    assert text_of(key, "run", only_from=str(tmp_path / "shared")) is None


# -- many -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["json", "nbformat", "nbformat.v4", "sched", "shutil", "textwrap"])
def test_the_text_tells_of_real_modules_what_importing_tells(name):
    found, number = signatures.differences(name)
    assert found == []
    assert number > 0


# -- the same is stored -----------------------------------------------------------------------------------------------

ANNOTATIONS = [
    "", "Any", "bool", "bytes", "float", "int", "str", "None", "Path", "list", "dict", "dict[str, int]", "list[int]",
    "list[float]", "list[str | None]", "list[list[int]]", "int | None", "float | int", "int | float | None", "bool | str",
    "Optional[Path]", "Path | str", "Literal['a', 1, True]", "Union[int, str]", "tuple[int, ...]", "set[int]",
    "list[str] | None", "Optional[list[float]]", "Optional[float]", "dict[str, float]", "dict[str, Path]",
    "dict[str, int | None] | None", "dict[int, str]", "dict[str, dict[str, int]]", "Optional[Literal['a', 1]]", "Path | None",
]  # fmt: skip

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5) | st.binary(max_size=3)
    | st.sampled_from(["a", "1", "1.5", "true", "None", "~/x", "\ud800", 1, 0, True, 2**53, 2**53 + 1, 1.0])
)  # fmt: skip
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=2), SCALARS, max_size=2)
TYPED = st.builds(
    lambda value, bare: RawValue(str(value) if bare else repr(value), str(value) if bare else value, bare),
    VALUES,
    st.booleans(),
)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The signature of one function for each annotation, as the text tells it and as importing does."""
    folder = tmp_path_factory.mktemp("both")
    lines = [f"def run_{n}(a{': ' if each else ''}{each}): pass" for n, each in enumerate(ANNOTATIONS)]
    (folder / "both_ways.py").write_text(textwrap.dedent(HEAD) + "\n".join(lines))
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    methods = [f"run_{n}" for n in range(len(ANNOTATIONS))]
    found = [(text_of("both_ways", each).signature, signatures.imported("both_ways", each)) for each in methods]
    sys.path.remove(str(folder))
    del sys.modules["both_ways"]
    return found


def bound(signature, value):
    """What is stored of a value, or why it is refused."""
    permission = Permission(AllowedEntry("both_ways", ("run",), "a file"), "run")
    try:
        result = inspection_steps.inspect_by_signature(InspectionRequest(permission, {}, [{"a": value}]), signature)
    except InvalidParameters as error:
        return str(error)
    found = result.calls[0].params["a"]
    return type(found), repr(found)


@settings(max_examples=400, deadline=None)
@given(number=st.integers(0, len(ANNOTATIONS) - 1), value=VALUES | TYPED)
def test_a_value_is_converted_or_refused_as_pydantic_does_whichever_way_the_signature_was_found(both, number, value):
    read, imported = both[number]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ipybgjobs.targets.simple_values.converted", lambda annotation, value: NOT_SIMPLE)
        expected = bound(imported, value)
    assert bound(imported, value) == expected
    assert bound(read, value) == expected
