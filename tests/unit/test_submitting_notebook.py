"""From which notebook a job is submitted."""

import sys

import pytest

from ipybgjobs.targets import submitting_notebook


@pytest.mark.parametrize(
    ("session", "found"),
    [("/home/eva/day.ipynb", "/home/eva/day.ipynb"), ("/home/eva/day.md", "/home/eva/day.md"), ("console-1", None), ("", None)],
)
def test_a_session_is_a_notebook_if_it_is_a_file(monkeypatch, session, found):
    monkeypatch.setenv("JPY_SESSION_NAME", session)
    assert submitting_notebook.path() == found


@pytest.mark.parametrize(("value", "found"), [("/home/eva/code.ipynb", "/home/eva/code.ipynb"), (3, None)])
def test_visual_studio_code_tells_it_in_the_namespace(monkeypatch, value, found):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.setattr(sys.modules["__main__"], "__vsc_ipynb_file__", value, raising=False)
    assert submitting_notebook.path() == found
