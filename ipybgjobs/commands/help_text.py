"""The help of the magics and of the verbs: an option a line, and examples that one can run with a change of names."""

import argparse
import re
import textwrap
from collections.abc import Iterable
from typing import Any

#: Characters in a line of a notebook's output, at the usual width of a cell; and those of an option with its value.
_WIDTH, _OPTION = 98, 26

#: Characters in a line of a description, in a notebook and in a terminal.
_DESCRIPTION = 79

#: The usage of each magic, and what it does.
_MAGICS = {
    "%bgjob": (
        "[options] Class.method key=value …",
        (
            "Submits a job: a method, function or notebook, which runs in a process that outlives this kernel. The value is the "
            "job. A parameter is a Python literal, a bare word, or $name for a variable of the notebook."
        ),
    ),
    "%%bgjob": (
        "[options], with code below",
        (
            "Runs the code below it as a job, in a process that outlives this kernel, with its output below the cell. The code "
            "sees the variables that --in sends, and nothing else of the notebook."
        ),
    ),
}

_JOB = (
    "{} training.Trainer.fit epochs=50",
    "job = {} --queue gpu --name long training.Trainer(lr=0.1).fit epochs=500 data=$df",
    "{} --after long --timeout 2h report.ipynb alpha=0.1 --output runs/",
)

_CELL = ("{}", "{} --in df,epochs --out model", "{} --name report --queue gpu --timeout 1h")

#: Examples of each verb; the first word after the command is the verb.
VERBS: dict[str, tuple[str, ...]] = {
    "submit": (
        "submit training.Trainer.fit epochs=50",
        "submit --queue gpu --name long training.Trainer.fit epochs=500",
        "submit --explain training.Trainer.fit epochs=50",
    ),
    "list": ("list", "list --state failed --limit 200", "list --group sweep"),
    "show": ("show 12", "show nightly", "show 12 --json"),
    "log": ("log 12", "log nightly --tail 20", "log 12 --follow"),
    "export": ("export 12", "export 12 bug.zip", "export nightly bug.zip --force"),
    "result": ("result 12", "result nightly --timeout 5m", "result 12 --json"),
    "wait": ("wait 12 13", "wait --group sweep", "wait nightly --timeout 1h"),
    "cancel": ("cancel 12 13", "cancel --group sweep", "cancel --all"),
    "adopt": ("adopt 12", "adopt --group sweep", "adopt --all"),
    "retry": ("retry 12", "retry 12 epochs=100", "retry --failed"),
    "priority": ("priority 12 --to 5", "priority 12 13 --to -1", "priority --group sweep --to 10"),
    "pause": ("pause", "pause gpu", "pause --json"),
    "resume": ("resume", "resume gpu", "resume --json"),
    "remove": ("remove 12 13", "remove nightly", "remove --group sweep"),
    "keep": ("keep 12", "keep --group sweep", "keep 12 --no"),
    "clean": ("clean", "clean --state failed --older-than 7d --yes", "clean --keep-jobs 1000 --yes"),
    "allow": ("allow training.Trainer.fit training.evaluate", "allow training.Trainer.*", "allow 'reports/*.ipynb'"),
    "disallow": ("disallow training.Trainer.fit", "disallow training.Trainer.*", "disallow 'reports/*.ipynb'"),
    "config": ("config show", "config check", "config init"),
    "doctor": ("doctor", "doctor --json", "doctor --rescue"),
    "dashboard": ("dashboard", "dashboard --port 9000", "dashboard --no-browser"),
    "demo": ("demo", "demo --folder demo", "demo --json"),
}

#: Examples of all verbs together.
_FIRST = ("list --state failed", "log 12 --follow", "cancel --group sweep")


class NotebookFormatter(argparse.RawDescriptionHelpFormatter):
    """Help that fits a notebook's output, whatever the width of the terminal that started the kernel."""

    def __init__(self, prog: str, **given: Any) -> None:
        super().__init__(prog, **{**given, "max_help_position": _OPTION, "width": _WIDTH})


def formatter(prog: str) -> type[argparse.HelpFormatter]:
    """Return the class that lays out the help of a command."""
    return NotebookFormatter if prog.startswith("%") else argparse.RawDescriptionHelpFormatter


def of_magic(magic: str) -> dict[str, Any]:
    """Return the options of the parser of a magic's line."""
    usage, description = _MAGICS[magic]
    return {
        "prog": magic,
        "usage": f"{magic} {usage}".replace("%", "%%"),
        "description": filled(description),
        "epilog": of_job(magic),
        "formatter_class": NotebookFormatter,
    }


def of_job(magic: str) -> str:
    """Return the examples of ``%bgjob`` or ``%%bgjob``."""
    return _section(example.format(magic) for example in (_CELL if magic.startswith("%%") else _JOB))


def of_verb(command: str, verb: str | None = None) -> str:
    """Return the examples of a verb as one types it, or of all verbs."""
    found = _FIRST if verb is None else VERBS.get(verb, ())
    return _section(f"{command} {example}" for example in found)


def filled(text: str) -> str:
    """Return a description in lines that fit a terminal and a notebook."""
    return textwrap.fill(text, _DESCRIPTION)


def first_clause(text: str) -> str:
    """Return what a verb does in a few words, for a list of verbs."""
    return re.split(r"[.;:] |\.$", text, maxsplit=1)[0]


def _section(examples: Iterable[str]) -> str:
    return "\n".join(["examples:", *(f"  {example}" for example in examples)])
