"""An object whose making was interrupted is released without a word: an interrupt can come before its first attribute is set."""

import importlib
import inspect
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
