"""What a target takes, as completion knows it: read from the text of a file that nobody imports."""

import sys
import textwrap

import pytest

from ipybgjobs.commands import parameter_names

TEXT = """
    import nothing_of_this_name

    class Base:
        def __init__(self, lr: float = 0.1, *, fast: bool = False): ...
        def inherited(self, deep): ...

    class Model(Base):
        def fit(self, epochs: int, verbose: bool = True, **more): ...
        async def later(self, value, /): ...
        @classmethod
        def made(cls, path): ...

    class Odd(Unknown, Odd): ...

    def run(size, *sizes, unit="s"): ...

    raise SystemExit("this module is never run")
"""


@pytest.fixture
def unread(tmp_path, monkeypatch):
    """A module, in a package and beside it, that can't be imported."""
    (tmp_path / "unread_package").mkdir()
    for path in (tmp_path / "unread.py", tmp_path / "unread_package" / "inner.py"):
        path.write_text(textwrap.dedent(TEXT))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    assert not {"unread", "unread_package"} & sys.modules.keys()


def names(target, **how):
    return [each.name for each in parameter_names.of_target(target, **how)]


@pytest.mark.parametrize("module", ["unread", "unread_package.inner"])
def test_parameters_are_read_from_the_text_of_a_module_that_is_not_imported(unread, module):
    assert names(f"{module}.run") == ["size", "unit"]
    assert names(f"{module}.Model.fit") == ["epochs", "verbose"]
    assert names(f"{module}.Model.later") == ["value"]
    assert names(f"{module}.Model.made") == ["path"]
    assert names(f"{module}.Model.inherited") == ["deep"]
    assert names(f"{module}.Model.fit", is_constructor=True) == ["lr", "fast"]


@pytest.mark.parametrize("target", ["unread.Odd.fit", "unread.Model.gone", "unread.gone", "gone.run", "run", ".", ""])
def test_what_the_text_does_not_tell_has_no_parameters(unread, target):
    assert names(target) == []


def test_a_text_that_is_no_python_has_no_parameters(unread):
    (unread / "unread.py").write_text("def run(size: ")
    assert names("unread.run") == []


def test_a_parameter_of_few_values_offers_them(unread):
    assert parameter_names.of_target("unread.Model.fit")[1] == ("verbose", ("True", "False"))
    assert parameter_names.of_target("unread.Model.fit")[0] == ("epochs", ())
