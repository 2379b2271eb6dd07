"""What the documents and docstrings name is there: files, folders, modules, classes."""

import ast
import builtins
import importlib
import importlib.util
import re
from functools import cache

import pytest

from ipybgjobs.configuration import sample
from support.place import REPOSITORY

PACKAGE = REPOSITORY / "ipybgjobs"

#: Not the CHANGELOG, which may name what is gone.
DOCUMENTS = [REPOSITORY / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY", "RELEASING")]
DOCUMENTS += sorted((REPOSITORY / "docs").glob("*.md"))

#: What looks like a path of ours: files of the languages that we write, and folders.
PATH = re.compile(r"(?:[\w.-]+/)*(?:[\w-]+\.(?:py|js|css|sql|toml|yml|md)|[\w.-]+/)|tests/[\w./-]+")

#: What other folders hold: a state folder, and the user's own.
ELSEWHERE = {"logs/", "runs/", "training.py", "ipybgjobs_config.py", "conftest.py"}
DATA = (".json", ".jsonl", ".pkl", ".db", ".err", ".log")

by_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)


def in_backticks(text):
    """Spans of code, with their lines; a span may go on in the next line."""
    for found in re.finditer(
        r"(?<!`)(`{1,2})(?!`)([^`]+?)\1(?!`)", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    ):
        yield found[1], " ".join(found[2].split())


@cache
def files():
    """Every file of the repository that a document may name, once as its path from the root."""
    folders = ("ipybgjobs", "tests", "docs", "config", "benchmarks", "notebooks", ".ci", ".github")
    paths = [path for folder in folders for path in (REPOSITORY / folder).rglob("*") if path.is_file()]
    return [
        path.relative_to(REPOSITORY).as_posix() for path in [*paths, *REPOSITORY.glob("*.*")] if "__pycache__" not in path.parts
    ]


def missing(name):
    """Why a path names nothing or too much: it starts at the root or in the package, or ends the path of just one file."""
    if (REPOSITORY / name).exists() or (PACKAGE / name).exists():
        return None
    ends = [path for path in files() if path.endswith(f"/{name}")]
    of_package = [path for path in ends if path.startswith("ipybgjobs/")]
    found = of_package or ends
    if len(found) == 1:
        return None
    return f"{name}: " + (f"say which: {', '.join(found)}" if found else "is not there")


def dotted_is_there(name):
    """Whether `ipybgjobs.x.y` can be imported, or is an attribute of what can."""
    found = importlib.import_module("ipybgjobs")
    for part in name.split(".")[1:]:
        if not hasattr(found, part):
            inside = getattr(found, "__name__", "")
            if not hasattr(found, "__path__") or importlib.util.find_spec(f"{inside}.{part}") is None:
                return False
            importlib.import_module(f"{inside}.{part}")
        found = getattr(found, part)
    return True


@by_document
def test_each_file_and_folder_that_a_document_names_is_there(path):
    named = {text for _, text in in_backticks(path.read_text()) if PATH.fullmatch(text)} - ELSEWHERE
    assert [problem for name in sorted(named) if not re.search("[A-Z]{3}.*/$", name) and (problem := missing(name))] == []


@by_document
def test_each_dotted_name_of_the_package_that_a_document_has_is_there(path):
    named = {name for _, text in in_backticks(path.read_text()) for name in re.findall(r"\bipybgjobs(?:\.[A-Za-z_]\w*)+", text)}
    assert [name for name in sorted(named - {"ipybgjobs.git"}) if not dotted_is_there(name)] == []


def test_the_map_has_each_room_once_and_in_the_order_of_imports():
    [table] = re.findall(
        r"^## The rooms\n(.*?)^## ", (REPOSITORY / "docs" / "architecture.md").read_text(), re.MULTILINE | re.DOTALL
    )
    listed = re.findall(r"^\| `(\w+)/` \|", table, re.MULTILINE)
    assert sorted(listed) == sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
    for number, room in enumerate(listed):
        below = {name for path in (PACKAGE / room).rglob("*.py") for name in rooms_imported(path)}
        assert not below & set(listed[number + 1 :]), room


def rooms_imported(path):
    """The rooms that a module imports from."""
    depth = len(path.relative_to(PACKAGE).parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == depth:
            yield from [node.module.partition(".")[0]] if node.module else [alias.name for alias in node.names]


def test_each_class_in_the_table_of_words_is_one_of_the_package():
    [table] = re.findall(r"^## Words\n(.*?)^## ", (REPOSITORY / "CONTRIBUTING.md").read_text(), re.MULTILINE | re.DOTALL)
    named = set(re.findall(r"`([A-Z][a-z]+(?:[A-Z][a-z]+)+)`", table))
    assert len(named) > 10
    assert named - {node.name for tree in trees().values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)} == set()


@cache
def trees():
    return {path: ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}


@cache
def names():
    """Everything that the package calls by a name, builtins included."""
    found = set(dir(builtins)) | {part for path in trees() for part in path.relative_to(REPOSITORY).with_suffix("").parts}
    for node in (each for tree in trees().values() for each in ast.walk(tree)):
        for field in ("id", "arg", "attr", "name"):
            found.update(str(getattr(node, field, None) or "").split("."))
        if isinstance(node, ast.Constant) and isinstance(node.value, str):  # keys, columns, words of the command line
            found.update(re.findall(r"\w+", re.sub(r"`[^`]*`", "", node.value)) if "\n" not in node.value.strip() else ())
    return found


@cache
def modules():
    """Top-level names of each module, by the last part of its path; a room has its modules."""
    found = {}
    for path, tree in trees().items():
        own = path.parent if path.name == "__init__.py" else path
        held = {name for node in tree.body for name in _bound(node)}
        held |= {each.stem for each in own.iterdir()} if own.is_dir() else set()
        found.setdefault(own.stem, set()).update(held)
    return found


def _bound(node):
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name for alias in node.names]
    return [each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)]


def docstrings():
    described = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, described) and (text := ast.get_docstring(node)):
                yield path.relative_to(REPOSITORY).as_posix(), text


def wrong(tick, text):
    """What is wrong with a name in a docstring; single backticks are for names of the code, double ones for any code."""
    if PATH.fullmatch(text) and text.endswith((".py", ".sql", ".js")):
        return text not in ELSEWHERE and missing(text)
    if text.endswith(DATA) or not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", text):
        return None
    head, _, rest = text.partition(".")
    if head == "ipybgjobs" and rest:
        return not dotted_is_there(text)
    if rest and head in modules():
        return rest.partition(".")[0] not in modules()[head] | names_of_classes(head)
    return tick == "`" and head not in names() and importlib.util.find_spec(head) is None


@cache
def names_of_classes(head):
    """What instances of a name have, where a variable has the name of a module (`job.cancel`)."""
    return {
        each.name
        for tree in trees().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and node.name.lower() == head
        for each in node.body
        if isinstance(each, ast.FunctionDef)
    }


@pytest.mark.crash
def test_each_name_of_ours_in_a_docstring_is_there():
    found = [(path, text) for path, doc in docstrings() for tick, text in in_backticks(doc) if wrong(tick, text)]
    assert found == []


def test_the_sample_is_made_from_the_traits():
    assert (REPOSITORY / "config" / "ipybgjobs_config.py").read_text() == sample.text()


def test_what_is_gone_would_be_found():
    assert missing("handle.py")
    assert missing("process/lock.py")
    assert missing("columns.sql")
    assert missing("serialization.py")  # which one?
    assert not missing("system/lock.py")
    assert not dotted_is_there("ipybgjobs.handle")
    assert dotted_is_there("ipybgjobs.client.jobs.job.Job.cancel")
    assert wrong("`", "transacting")
    assert wrong("``", "system.mark")
    assert not wrong("`", "system.process_mark")
