"""Parse the line above a cell's code: ``%%bgjob [options] --in x,y --out z``; it looks up variables, and ignores the code."""

import argparse
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from ..client.submit.option_table import SubmitOptions
from ..model import redaction
from ..model.redaction import cut
from . import help_text, job_line, usage
from .usage import UsageFault


class CellLine(Struct, frozen=True):
    """The options on the line above a cell's code.

    Parameters
    ----------
    variables : dict
        The variables to send, by value.
    names : tuple of str
        Names of the variables to bring back.
    options : SubmitOptions
        Keyword options of `submit`.
    explain : bool
        Whether to only explain what would happen.
    """

    variables: dict[str, Any]
    names: tuple[str, ...]
    options: SubmitOptions
    explain: bool = False

    def params(self, code: str) -> dict[str, Any]:
        """Return the parameters of the job that runs the code."""
        given = {"code": code, "variables": self.variables, "names": list(self.names)}
        return {name: value for name, value in given.items() if value}


def parse(line: str, variables: Mapping[str, Any]) -> CellLine:
    """Parse the line of a cell magic.

    Parameters
    ----------
    line : str
        The text after ``%%bgjob``.
    variables : mapping
        The notebook's variables.

    Raises
    ------
    UsageFault
        If the line can't be parsed, or names a variable that does not exist; one sentence.
    """
    arguments = parser().parse_intermixed_args(
        [job_line.option_word(word) for word in job_line.with_values(job_line.words(line))]
    )
    if arguments.words:
        raise UsageFault(
            f"%%bgjob runs the code below it and takes no target: unexpected argument {cut(redaction.typed(arguments.words[0]))} "
            "(to submit a target, write %bgjob, with one %; write several names as --in x,y)."
        )
    missing = [name for name in arguments.sent if name not in variables]
    if missing:
        raise UsageFault(f"--in {cut(missing[0])}: this notebook has no variable {cut(missing[0])}.")
    sent = {name: variables[name] for name in arguments.sent}
    return CellLine(sent, tuple(dict.fromkeys(arguments.wanted)), job_line.given_options(arguments, variables), arguments.explain)


def parser() -> argparse.ArgumentParser:
    """Return the parser of ``%%bgjob``."""
    made = usage.Parser(**help_text.of_magic("%%bgjob"))
    job_line.add_options(made)
    for option, dest, text in (
        ("--in", "sent", "send these variables with the code, by value: x,y"),
        ("--out", "wanted", "bring these variables back from the job, between two cells: x,y"),
    ):
        made.add_argument(option, dest=dest, metavar="NAMES", action="extend", type=_names, default=[], help=text)
    made.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    return made


def _names(text: str) -> list[str]:
    return [usage.variable_name(part.strip()) for part in text.split(",") if part.strip()]
