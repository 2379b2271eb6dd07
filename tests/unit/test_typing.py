"""What a type checker makes of the public names: correct calls are accepted, wrong ones are refused."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ipybgjobs
from support.place import REPOSITORY, TESTS


@pytest.mark.timeout(600)
def test_a_type_checker_accepts_correct_calls_and_refuses_wrong_ones():
    files = [str(TESTS / "typing" / f"{name}.py") for name in ("accepted", "refused")]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", *files], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_type_checker_sees_every_public_name():
    tree = ast.parse(Path(ipybgjobs.__file__).read_text())
    [block] = [
        node
        for node in tree.body
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    ]
    imported = {alias.name for node in block.body for alias in node.names}
    assert imported == set(ipybgjobs.__all__)
