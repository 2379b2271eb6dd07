"""What the package says of itself is free of the words in `words.toml`, which has what to say instead."""

import ast
import json
import re
import tokenize
import tomllib
from functools import cache
from itertools import groupby
from pathlib import Path

import pytest

ROOT = next(folder for folder in Path(__file__).parents if (folder / "pyproject.toml").exists())
RULES = tomllib.loads(Path(__file__).with_name("words.toml").read_text())["word"]


def of_python(path):
    """Strings, also those in several pieces, and comments: each with its line."""
    tree = ast.parse(path.read_text())
    pieces = {id(piece) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for piece in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield node.lineno, "".join(piece.value if isinstance(piece, ast.Constant) else "{}" for piece in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in pieces:
            yield node.lineno, node.value
    with path.open("rb") as opened:
        comments = [token for token in tokenize.tokenize(opened.readline) if token.type == tokenize.COMMENT]
    for _, block in groupby(enumerate(comments), lambda item: item[1].start[0] - item[0]):  # lines that follow each other
        lines = [token for _, token in block]
        yield lines[0].start[0], " ".join(token.string.lstrip("#: ") for token in lines)


def of_markdown(path):
    """Paragraphs, without code; not the table that names the words themselves."""
    text = re.sub(
        r"^## Words\n.*?(?=^## |\Z)", lambda found: "\n" * found[0].count("\n"), path.read_text(), flags=re.MULTILINE | re.DOTALL
    )
    text = re.sub(r"`[^`\n]+`", "`…`", text)
    for found in re.finditer(r"(?:^(?! {4}).*\S.*\n?)+", text, re.MULTILINE):
        yield text.count("\n", 0, found.start()) + 1, found[0]


def of_notebook(path):
    """Cells, by number in place of a line."""
    for number, cell in enumerate(json.loads(path.read_text())["cells"], 1):
        yield number, "".join(cell["source"])


def of_script(path):
    """Strings and comments of JavaScript."""
    text = path.read_text()
    for found in re.finditer(r"""//[^\n]*|/\*.*?\*/|"[^"\n]*"|'[^'\n]*'|`[^`]*`""", text, re.DOTALL):
        yield text.count("\n", 0, found.start()) + 1, found[0]


def of_lines(path):
    """Everything, line by line."""
    yield from enumerate(path.read_text().splitlines(), 1)


# Not SQL: a numbered file of the schema stays as it is, comments included.
READERS = {".py": of_python, ".md": of_markdown, ".ipynb": of_notebook, ".js": of_script}
READERS |= dict.fromkeys((".css", ".html", ".yml", ".yaml"), of_lines)


@cache
def texts():
    """All that is read by users and by those who work on the package, as (where, text); a single word is a name in the code."""
    files = [path for folder in ("ipybgjobs", "docs", "notebooks", "config", ".github") for path in (ROOT / folder).rglob("*")]
    files += ROOT.glob("*.md")
    return [
        (f"{path.relative_to(ROOT)}:{line}", " ".join(text.split()))
        for path in sorted(files)
        if path.suffix in READERS
        for line, text in READERS[path.suffix](path)
        if " " in text.strip()
    ]


def occurrences(pattern):
    return [
        f"{where}: {text[max(0, match.start() - 40) : match.end() + 30]}"
        for where, text in texts()
        for match in re.finditer(pattern, text, re.IGNORECASE)
    ]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["say"])
def test_no_text_uses_the_word(rule, request):
    if rule.get("pending"):
        request.applymarker(pytest.mark.xfail(reason="texts still have it", strict=False))
    found = occurrences(rule["pattern"])
    assert not found, f"say: {rule['say']}\n" + "\n".join(found)


def test_strings_in_pieces_comments_and_paragraphs_are_read_whole(tmp_path):
    code = tmp_path / "code.py"
    code.write_text('"""One\ntwo."""\nx = f"three {1} " "four"\n# five\n# six\ny = 1  # seven\n')
    read = [" ".join(text.split()) for _, text in of_python(code)]
    assert sorted(read) == ["One two.", "five six seven", "three {} four"]
    script = tmp_path / "script.js"
    script.write_text("const text = `a ${b} c`; // why\n/* one\ntwo */ f('d');\n")
    assert list(of_script(script)) == [(1, "`a ${b} c`"), (1, "// why"), (2, "/* one\ntwo */"), (3, "'d'")]
    page = tmp_path / "page.md"
    page.write_text("One\ntwo `three`.\n\n    four\n\n## Words\n\nfive\n\n## Six\n")
    assert [(line, " ".join(text.split())) for line, text in of_markdown(page)] == [(1, "One two `…`."), (10, "## Six")]
