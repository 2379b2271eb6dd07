"""How what is typed is refused if it can't be parsed: in one sentence, on one line, with the usage. It knows no job."""

import argparse
import keyword
import re
from typing import NoReturn

from ..errors import InvalidParameters
from ..model import redaction
from ..model.redaction import cut, quoted

#: Longest error message of argparse, which repeats what was typed.
LONGEST_COMPLAINT = 200


class UsageFault(InvalidParameters):
    """A line that can't be parsed; one sentence, on one line whatever the line contains."""

    def __init__(self, message: str) -> None:
        super().__init__(redaction.one_line(message))


def one_usage(parser: argparse.ArgumentParser) -> str:
    """Return the usage of a command, on one line."""
    return " ".join(parser.format_usage().split())


class Parser(argparse.ArgumentParser):
    """A parser whose error messages are one sentence."""

    def error(self, message: str) -> NoReturn:
        """Refuse a line."""
        hint = meant_as_parameter(message)
        raise UsageFault(
            f"{cut(redaction.typed(message), LONGEST_COMPLAINT)}{hint}; {one_usage(self)} ({self.prog} --help has more)"
        )


def meant_as_parameter(message: str) -> str:
    """Return a hint if an option that there is not may be meant as a parameter of the job; otherwise an empty text."""
    unknown = re.match(r"unrecognized arguments: --([^\W\d]\w{,40})(?:=|\s|$)", message)
    return f" (a parameter is written without hyphens: {unknown[1]}=…)" if unknown else ""


def whole_number(text: str) -> int:
    """Return the value of an option that takes a whole number.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is not one.
    """
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{quoted(text)} is not a whole number") from None


def variable_name(text: str) -> str:
    """Check the name of a variable, for an option's value.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is not one.
    """
    if not text.isidentifier() or keyword.iskeyword(text):
        raise argparse.ArgumentTypeError(f"{quoted(text)} is not a valid variable name")
    return text
