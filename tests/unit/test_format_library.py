"""The import of nbformat in a fresh process: quick, and nothing of it is missing afterwards."""

import importlib.util
import subprocess
import sys

import pytest

LOAD = "import sys; from ipybgjobs.notebooks import format_library; nbformat = format_library.load(); "


def said(code):
    command = [sys.executable, "-c", LOAD + code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


needs_grammar = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("rfc3987_syntax", "lark"))), reason="the optional grammar of URIs is not installed"
)


@needs_grammar
def test_the_grammar_of_uris_is_not_built():
    assert said("print('lark' in sys.modules, 'rfc3987_syntax' in sys.modules, nbformat.v4.nbformat)") == "False False 4"


@needs_grammar
def test_it_is_built_once_somebody_checks_a_uri_or_imports_it():
    check = "import jsonschema; print([jsonschema.FormatChecker().conforms(each, 'iri') for each in ('a:b', 'a b')]); "
    assert said(check + "import rfc3987_syntax; print(rfc3987_syntax.__file__ != '')").split("\n") == ["[True, False]", "True"]


def test_a_notebook_is_read_and_checked():
    code = (
        'from ipybgjobs.notebooks import document; print(document.parse(b\'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, '
    )
    assert said(code + '"cells": []}\').cells)') == "[]"
