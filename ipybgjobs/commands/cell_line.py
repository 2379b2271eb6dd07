"""What stands above a cell's code: ``%%bgjob [options] --in x,y --out z``; variables are looked up, the code is not looked at."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..model import redaction
from ..model.redaction import cut
from . import job_line
from .job_line import UsageFault


@dataclass(frozen=True, slots=True)
class CellLine:
    """What the line above a cell's code asks for.

    Parameters
    ----------
    variables : dict
        What is sent along, by value.
    names : tuple of str
        What is to come back.
    options : dict
        Keyword options of `submit`.
    explain : bool
        Whether to say only what would happen.
    """

    variables: dict[str, Any]
    names: tuple[str, ...]
    options: dict[str, Any]
    explain: bool = False

    def params(self, code: str) -> dict[str, Any]:
        """Return the parameters of the job that runs the code."""
        given = {"code": code, "variables": self.variables, "names": list(self.names)}
        return {name: value for name, value in given.items() if value}


def parse(line: str, variables: Mapping[str, Any]) -> CellLine:
    """Read the line of a cell magic.

    Parameters
    ----------
    line : str
        What follows ``%%bgjob``.
    variables : mapping
        The notebook's.

    Raises
    ------
    UsageFault
        If the line can't be read, or names a variable that is not there; one sentence.
    """
    arguments = parser().parse_intermixed_args(
        [job_line.option_word(word) for word in job_line.with_values(job_line.words(line))]
    )
    if arguments.words:
        raise UsageFault(
            f"%%bgjob runs the code below it and takes no target: {cut(redaction.typed(arguments.words[0]))} is too much "
            "(%bgjob, with one %, submits a target; several names are written --in x,y)."
        )
    missing = [name for name in arguments.sent if name not in variables]
    if missing:
        raise UsageFault(f"--in {cut(missing[0])}: this notebook has no variable {cut(missing[0])}.")
    sent = {name: variables[name] for name in arguments.sent}
    return CellLine(sent, tuple(dict.fromkeys(arguments.wanted)), job_line.given_options(arguments, variables), arguments.explain)


def parser() -> argparse.ArgumentParser:
    """Return the parser of ``%%bgjob``."""
    made = job_line.Parser(usage="%%%%bgjob [options], and code below", add_help=False)
    job_line.add_options(made)
    for option, dest, text in (
        ("--in", "sent", "send these variables along, by value: x,y"),
        ("--out", "wanted", "set these variables to what the cell has made of them, between two cells: x,y"),
    ):
        made.add_argument(option, dest=dest, metavar="NAMES", action="extend", type=_names, default=[], help=text)
    made.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    return made


def _names(text: str) -> list[str]:
    return [job_line.variable_name(part.strip()) for part in text.split(",") if part.strip()]
