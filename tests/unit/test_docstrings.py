"""Docstrings of public names: each has an example, and names every error that its body and the helpers of its module raise."""

import ast
import re
from pathlib import Path

import pytest

import ipybgjobs
from ipybgjobs import errors
from support.examples import NAMES, example

PACKAGE = Path(ipybgjobs.__file__).parent

OURS = {name for name, value in vars(errors).items() if isinstance(value, type)} | {"TimeoutError"}

#: The modules with what users call, and the checks of what they pass.
PUBLIC = [
    "api.housekeeping",
    "api.reading",
    "api.submitting",
    "client.cleaning",
    "client.jobs.group",
    "client.jobs.job",
    "client.jobs.job_list",
    "client.jobs.view",
    "client.submit.options",
    "client.submit.times",
    "errors",
    "model.records",
    "notebooks.cell",
    "notebooks.job",
    "panel.widget",
    "state.current_job",
    "state.recording",
]


def _trees():
    for module in PUBLIC:
        yield module, ast.parse((PACKAGE / module.replace(".", "/")).with_suffix(".py").read_text())


def _functions():
    """Every function of the public modules, by module, class ("" if none) and name."""
    for module, tree in _trees():
        for owner in [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))]:
            for node in owner.body:
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    yield (module, getattr(owner, "name", ""), node.name), node


FUNCTIONS = dict(_functions())
CLASSES = {node.name: node for _, tree in _trees() for node in tree.body if isinstance(node, ast.ClassDef)}


def _uncaught(node):
    """The nodes of a body whose exceptions leave it; lambdas and functions inside it are left out, since others call them."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.Lambda, ast.FunctionDef)):
            continue
        yield child
        inner = [*child.handlers, *child.orelse, *child.finalbody] if isinstance(child, ast.Try) and child.handlers else [child]
        for part in inner:
            yield from _uncaught(part)


def _raised(key, seen=()):
    """The errors of ours that a function raises, itself or by its module's helpers and the checks of options."""
    found = set()
    for node in _uncaught(FUNCTIONS[key]):
        if isinstance(node, ast.Raise) and node.exc is not None:
            raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            found |= {getattr(raised, "id", None)} & OURS
        elif isinstance(node, ast.Call) and (called := _called(key, node.func)) and called not in seen:
            found |= _raised(called, (*seen, key))
    return found


def _called(key, function):
    """The function of a public module that a call means, if it is one of them."""
    module, owner, _ = key
    if isinstance(function, ast.Name):
        return _known(module, "", function.id)
    if not isinstance(function, ast.Attribute) or not isinstance(function.value, ast.Name):
        return None
    if function.value.id in {"options", "times"}:
        return _known(f"client.submit.{function.value.id}", "", function.attr)
    return _known(module, owner, function.attr) if function.value.id == "self" else None


def _known(*key):
    return key if key in FUNCTIONS else None


def _documented(key):
    """The errors that the docstring names under Raises, and those that its class names for all methods."""
    said = (ast.get_docstring(FUNCTIONS[key]) or "").partition("Raises\n------\n")[2].split("\n\n")[0]
    of_class = (ast.get_docstring(CLASSES[key[1]]) or "") if key[1] else ""
    named = {name for line in re.findall(r"^(\w[\w, ]*)$", said, re.MULTILINE) for name in line.split(", ")}
    return named | set(re.findall(r"`(\w+)`", of_class))


@pytest.mark.parametrize("key", [key for key in FUNCTIONS if not key[2].startswith("_")], ids=".".join)
def test_every_error_that_a_public_function_raises_stands_in_its_docstring(key):
    assert not _raised(key) - _documented(key)


def test_the_errors_that_functions_raise_are_found_through_helpers():
    assert _raised(("client.jobs.job", "Job", "retry")) >= {"InvalidRequest", "InvalidParameters"}
    assert _raised(("client.submit.times", "", "wait_timeout")) == {"InvalidParameters"}
    assert not _raised(("client.submit.options", "", "calls")) - {"InvalidParameters"}


#: Most lines of an example, with what it prints.
LONGEST = 6


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_has_a_short_example(name):
    found = example(name)
    assert found.examples
    assert len(found.docstring.strip().splitlines()) <= LONGEST
