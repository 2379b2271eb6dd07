"""Whether a target exists, and what there is in its place: the same by its text and by its import."""

import sys
import textwrap

import pytest

from ipybgjobs.errors import InvalidTarget
from ipybgjobs.targets import lookup

MODULE = """
    from abc import ABC
    from .parts import teach

    RATE = 0.1

    class Base:
        def __init__(self, rate=0.1):
            pass

        def load(self):
            pass

    class Trainer(Base):
        def fit(self):
            pass

        @classmethod
        def made(cls):
            pass

        @classmethod
        def on_submit(cls, method, params):
            return params

        def on_success(self, result):
            pass

        def _hidden(self):
            pass

    class Plain(Base):
        def fit(self):
            pass

        def evaluate(self):
            pass

    class Abstract(ABC):
        def fit(self):
            pass

    def train():
        pass
"""


@pytest.fixture
def studio(tmp_path, monkeypatch):
    (tmp_path / "looked_up").mkdir()
    (tmp_path / "looked_up" / "__init__.py").write_text(textwrap.dedent(MODULE))
    (tmp_path / "looked_up" / "parts.py").write_text("def teach():\n    pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "looked_up"]:
        del sys.modules[name]


FOUND = {
    "looked_up.train": ("function", "looked_up.train"),
    "looked_up.parts.teach": ("function", "looked_up.parts.teach"),
    "looked_up.teach": ("function", "looked_up.teach"),
    "looked_up.Plain.fit": ("method", "looked_up.Plain.fit"),
    "looked_up.Plain.load": ("method", "looked_up.Plain.load"),
    "looked_up.Plain": ("class", "looked_up.Plain"),
    "looked_up": ("module", "looked_up"),
    "looked_up.Plain.fitt": ("missing", "looked_up.Plain"),
    "looked_up.Plian.fit": ("missing", "looked_up"),
    "looked_up.py": ("missing", "looked_up"),
    "looked_upp.Plain.fit": ("missing", ""),
}


@pytest.mark.parametrize(("target", "found"), FOUND.items())
def test_text_and_import_tell_the_same_of_a_target(studio, target, found):
    by_text = lookup.by_text(target)
    assert "looked_up" not in sys.modules
    by_import = lookup.by_import(target)
    assert (by_text.kind, by_text.owner) == (by_import.kind, by_import.owner) == found
    assert by_text.nearest == by_import.nearest
    assert by_text.reason == by_import.reason


NEAREST = {
    "looked_up.Plain.fitt": "looked_up.Plain.fit",
    "looked_up.Plian.fit": "looked_up.Plain.fit",
    "looked_upp.Plain.fit": "looked_up.Plain.fit",
    "looked_up.Abstract.fitt": "looked_up.Abstract.fit",
    "looked_up.Plain.save": "",
    "looked_up.Plain.fit": "",
    "elsewhere.Plain.fit": "",
}


@pytest.mark.parametrize(("target", "nearest"), NEAREST.items())
def test_the_name_that_is_missing_is_replaced_by_the_most_similar_one(studio, target, nearest):
    assert lookup.by_text(target).nearest == nearest


def test_a_class_has_its_public_methods_inherited_or_not_and_no_hooks(studio):
    assert lookup.by_text("looked_up.Plain").names == ("evaluate", "fit", "load")
    assert lookup.by_import("looked_up.Plain").names == ("evaluate", "fit", "load")
    assert lookup.by_import("looked_up.Trainer").names == ("fit", "load", "made")


def test_what_the_text_leaves_in_doubt_is_not_called_missing(studio):
    assert lookup.by_text("looked_up.Abstract.register").kind == "unknown"
    assert lookup.by_text("looked_up.Abstract.fit").kind == "method"
    assert lookup.by_text("looked_up.RATE").kind == "unknown"
    assert lookup.by_import("looked_up.RATE").kind == "value"


def test_a_module_that_can_not_be_imported_is_no_missing_one(studio):
    (studio / "broken_one.py").write_text("import nothing_of_that_name\ndef run(): pass\n")
    with pytest.raises(InvalidTarget, match="broken_one can't be imported: No module named 'nothing_of_that_name'"):
        lookup.by_import("broken_one.run")
    assert lookup.by_text("broken_one.run").kind == "function"
