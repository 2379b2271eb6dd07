"""Parse a job as typed: ``[options] Class(key=value).method key=value …``, from a magic's line or a shell's words.

It splits a line into words and knows the options; `typed_pairs` parses what the words give the parameters.
"""

import argparse
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from msgspec import Struct

from ..client.submit import notebook_call
from ..client.submit.option_table import NAMES, ON_DUPLICATE, OPTIONS, Form, SubmitOptions
from ..model import job_key, redaction
from ..model.redaction import cut
from . import help_text, notebook_line, usage
from .typed_pairs import VARIABLE, PairReader
from .usage import UsageFault

_OPENING, _CLOSING = "([{", ")]}"

_HEAD = re.compile(r"(?P<owner>[\w.]+)\((?P<init>.*)\)\.(?P<method>\w+)", re.DOTALL)


class JobLine(Struct, frozen=True):
    """The parsed line of a job.

    Parameters
    ----------
    target : str
        Dotted path, as typed.
    init, params : dict
        Values as typed, or variables by value.
    options : SubmitOptions
        Keyword options of `submit`.
    here : bool
        Whether to run it in this process instead.
    wait : bool
        Whether to follow it until it finishes.
    into : str or None
        The variable that gets its result.
    explain : bool
        Whether to only explain what would happen.
    """

    target: str
    init: dict[str, Any]
    params: dict[str, Any]
    options: SubmitOptions
    here: bool = False
    wait: bool = False
    into: str | None = None
    explain: bool = False


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `submit`, and ``--explain``."""
    for option in OPTIONS:
        parser.add_argument(option.flag, help=option.summary, metavar=option.placeholder, **_FORMS[option.form])
    parser.add_argument(
        "--explain", action="store_true", help="explain why it would run or be refused, without starting anything"
    )


def _or_true(text: str) -> str | bool:
    return text or True


#: What argparse needs to know of each form.
_FORMS: dict[Form, dict[str, Any]] = {
    Form.TEXT: {},
    Form.INTEGER: {"type": usage.whole_number},
    Form.CHOICE: {"choices": ON_DUPLICATE},
    Form.JOBS: {"action": "append"},
    Form.OPTIONAL: {"type": _or_true},
}

#: Options whose value is optional; it is written after an equals sign.
_ALONE = tuple(option.flag for option in OPTIONS if option.form is Form.OPTIONAL)


def with_values(given: Iterable[str]) -> list[str]:
    """Give options without their optional value an empty one, so that they do not take the next word."""
    return [f"{word}=" if word in _ALONE else word for word in given]


def given_options(arguments: argparse.Namespace, variables: Mapping[str, Any] | None = None) -> SubmitOptions:
    """Return the given options; `variables`: the variables that ``--after $job`` may name."""
    found = {name: value for name in NAMES if (value := getattr(arguments, name)) is not None}
    for option in OPTIONS:
        if option.form is Form.JOBS and option.name in found:
            found[option.name] = [each for text in found[option.name] for each in _jobs(option.flag, text, variables or {})]
    return cast("SubmitOptions", found)


def _jobs(option: str, text: str, variables: Mapping[str, Any]) -> list[Any]:
    """Parse the jobs that a job depends on: ids and names, separated by commas, or variables."""
    found: list[Any] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        variable = VARIABLE.fullmatch(part)
        if variable and variable[1] not in variables:
            raise UsageFault(f"{option} {cut(part)}: this notebook has no variable {cut(variable[1])}.")
        found.append(variables[variable[1]] if variable else job_key.of(part))
    return found


def parse(line: str, variables: Mapping[str, Any]) -> JobLine:
    """Parse a magic's line.

    Parameters
    ----------
    line : str
        The text after ``%bgjob``.
    variables : mapping
        The notebook's variables, for ``$name``; a bare word that names one is refused.

    Raises
    ------
    UsageFault
        If the line can't be parsed; one sentence.
    """
    parser = magic_parser()
    arguments = parser.parse_intermixed_args([option_word(word) for word in with_values(words(line))])
    target = arguments.words[0] if arguments.words else ""
    if not notebook_line.is_notebook(target) and (not target or "=" in target.partition("(")[0]):
        raise UsageFault(f"A job needs a target before its parameters; {usage.one_usage(parser)}")
    return JobLine(
        *_call(arguments.words, notebook_line.given_options(arguments), PairReader(variables, quoted=True)),
        given_options(arguments, variables),
        here=arguments.here,
        wait=arguments.wait,
        into=arguments.into,
        explain=arguments.explain,
    )


def _call(given: Sequence[str], options: Mapping[str, Any], reader: PairReader) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Return target, constructor's parameters and parameters; a notebook's file is a target too, with options of its own."""
    target, *pairs = given
    if notebook_line.is_notebook(target):
        return notebook_call.TARGET, {}, notebook_call.params(target, reader.pairs(pairs), **options)
    if options:
        raise UsageFault(f"--{next(iter(options))} is an option for notebooks: write it with notebook.ipynb as the target.")
    target, init = _head(target, reader.of_magic())
    return target, init, reader.pairs(pairs)


def magic_parser() -> argparse.ArgumentParser:
    """Return the parser of ``%bgjob``."""
    parser = usage.Parser(**help_text.of_magic("%bgjob"))
    add_options(parser)
    notebook_line.add_options(parser)
    parser.add_argument(
        "--into", metavar="NAME", type=usage.variable_name, help="set this variable to the result, between two cells"
    )
    parser.add_argument("--wait", action="store_true", help="follow the job in this cell; an interrupt leaves it running")
    parser.add_argument("--here", action="store_true", help="run the call in this kernel, to debug it; nothing is recorded")
    parser.add_argument("words", nargs="*", metavar="Class.method key=value", help=argparse.SUPPRESS)
    return parser


def parse_words(given: Sequence[str], options: Mapping[str, Any] | None = None) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Parse a shell's words: target, constructor's parameters, parameters. The shell has already removed the quotes.

    `options`: those for a notebook.
    """
    return _call(given, options or {}, PairReader({}, quoted=False))


def parameters(pairs: Sequence[str]) -> dict[str, Any]:
    """Parse ``key=value`` words of a shell."""
    return PairReader({}, quoted=False).pairs(pairs)


def refuse_variables(given: Sequence[str], variables: Mapping[str, Any]) -> None:
    """Refuse ``key=$name`` in a verb if it means a variable of the notebook: verbs take text, and would send its name.

    Raises
    ------
    UsageFault
        If there is one.
    """
    for word in given:
        name, equals, text = word.partition("=")
        sent = VARIABLE.fullmatch(text) if equals and name.isidentifier() else None
        if sent and sent[1] in variables:
            name, shown = cut(name), cut(redaction.shown_for(name, sent[1]))
            raise UsageFault(
                f'{name}=${shown}: %bgjobs does not send variables; use %bgjob, or job.retry({{"{name}": {shown}}}).'
            )


def option_word(word: str) -> str:
    """Remove the quotes from an option's value."""
    name, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    if value[:1] in ("'", '"') and value[-1:] == value[:1] and len(value) > 1:
        return name + equals + value[1:-1]
    return word


def _head(target: str, reader: PairReader) -> tuple[str, dict[str, Any]]:
    match = _HEAD.fullmatch(target)
    if match is None:
        return target, {}
    pairs = [part.strip() for part in _split(match["init"], lambda character: character == ",") if part.strip()]
    return f"{match['owner']}.{match['method']}", reader.pairs(pairs)


def words(line: str) -> list[str]:
    """Split a line at spaces outside quotes and brackets; a comment and a trailing semicolon are dropped.

    Raises
    ------
    UsageFault
        If a quote or bracket is not closed.
    """
    found = [word for word in _split(line, str.isspace, comment=True) if word]
    if found:
        found[-1] = found[-1].removesuffix(";")
    return [word for word in found if word]


def is_silent(line: str) -> bool:
    """Return whether a line ends in a semicolon, ignoring a comment."""
    found = [word for word in _split(line, str.isspace, comment=True) if word]
    return bool(found) and found[-1].endswith(";")


def _split(text: str, separates: Any, *, comment: bool = False) -> Iterator[str]:
    word, quote, depth, escaped = "", "", 0, False
    for character in text:
        if quote:
            quote = "" if character == quote and not escaped else quote
            escaped = character == "\\" and not escaped
        elif character in "\"'":
            quote = character
        elif comment and character == "#" and not word and not depth:
            break
        elif not depth and separates(character):
            yield word
            word = ""
            continue
        else:
            depth += (character in _OPENING) - (character in _CLOSING)
        word += character
    if quote or depth > 0:
        raise UsageFault(f"{quote or 'A bracket'} is not closed in: {cut(redaction.typed(text.strip()))}")
    yield word
