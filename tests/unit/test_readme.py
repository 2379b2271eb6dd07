"""What the README and the reference say there is, is there; and what is there, the reference says."""

import argparse
import inspect
import re

import ipybgjobs as bg
from ipybgjobs.client.submit import options
from ipybgjobs.commands import cli, job_line
from support.place import REPOSITORY

README = (REPOSITORY / "README.md").read_text()
REFERENCE = (REPOSITORY / "docs" / "reference.md").read_text()
ROWS = [
    [cell.strip() for cell in line.split("|")[1:-1]]
    for line in REFERENCE.splitlines()
    if line.startswith("| `") or line[:4] == "| | "
]


def verbs():
    [actions] = [action for action in cli.parser()._actions if isinstance(action, argparse._SubParsersAction)]
    return actions.choices


def code(column):
    return [text for row in ROWS for text in re.findall(r"`([^`]+)`", row[column])]


def test_the_table_names_every_verb_of_the_command_line_and_no_other():
    named = {text.split()[0] for text in code(1) if not text.startswith("%")}
    assert named == set(verbs())


def test_what_the_table_shows_of_python_exists():
    shown = code(0)
    assert len(shown) > 15
    for text in shown:
        for owner, name in re.findall(r"\b(bg|job)\.(\w+)", text):
            assert name in bg.__all__ if owner == "bg" else hasattr(bg.Job, name), text


def test_what_the_table_says_of_a_group_exists():
    [row] = [row for row in ROWS if "submit_many" in row[0]]
    named = re.findall(r"`(\w+)\(\)`", row[2])
    assert len(named) == 4
    assert all(hasattr(bg.Group, name) for name in named)


def test_every_option_of_a_submit_is_named_and_no_other():
    [line] = re.findall(r"^Options for submitting:(.*?)\.", REFERENCE, re.MULTILINE | re.DOTALL)
    assert re.findall(r"--[\w-]+", line) == [f"--{name.replace('_', '-')}" for name in options.NAMES]


def test_the_options_of_a_submit_are_the_same_in_python_in_the_magic_and_in_the_shell():
    python = [name for name in bg.submit.__annotations__ if name in options.NAMES]
    assert python == list(options.NAMES)
    of_notebooks = {"--output", "--kernel", "--resume"}
    wanted = {f"--{name.replace('_', '-')}" for name in options.NAMES} | of_notebooks
    assert of_notebooks == {f"--{name}" for name in inspect.signature(bg.Notebook.run).parameters} - {
        "--self",
        "--path",
        "--parameters",
    }
    magic = {option for option in job_line.magic_parser()._option_string_actions if option.startswith("--")}
    assert magic - {"--help", "--here", "--wait", "--into", "--explain"} == wanted
    assert {option for option in verbs()["submit"]._option_string_actions if option.startswith("--")} - {
        "--help",
        "--json",
        "--explain",
    } == wanted


def test_the_verbs_of_the_command_line_are_those_of_python():
    same = {"submit", "pause", "resume", "clean"}
    assert same <= set(bg.__all__) & set(verbs())
    assert all(hasattr(bg.Job, verb) for verb in ("log", "result", "wait", "cancel", "retry", "remove", "keep", "priority"))


def test_the_readme_fits_on_a_screen_and_has_its_two_commands():
    assert len(README.splitlines()) <= 60
    for name in ("demo", "test"):
        [command] = re.findall(rf"^<!-- {name} -->\n\n    (.*)\n\n", README, re.MULTILINE)
        assert command.startswith("python3 -m venv .venv && .venv/bin/pip install")


def test_the_links_of_the_documents_lead_to_files():
    for path in [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")]:
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text()):
            assert (path.parent / link).exists(), f"{path.name}: {link}"
