"""Parse a job as typed: ``[options] Class(key=value).method key=value …``, from a magic's line or a shell's words.

It never guesses silently: a value is a Python literal, a bare word, or ``$name``; its meaning may depend on the
parameter's annotation, so the text as typed is kept with it.
"""

import argparse
import ast
import keyword
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn, cast

from msgspec import Struct

from ..client.submit import notebook_call
from ..client.submit.option_table import NAMES, ON_DUPLICATE, OPTIONS, Form, SubmitOptions
from ..errors import InvalidParameters
from ..model import job_key, redaction
from ..model.redaction import cut, quoted
from ..targets.binding import RawValue
from . import commas, help_text, notebook_line

_OPENING, _CLOSING = "([{", ")]}"
_VARIABLE = re.compile(r"\$([A-Za-z_]\w*)")

#: Longest error message of argparse, which repeats what was typed.
LONGEST_COMPLAINT = 200

_STAND_IN = "bgjob_variable_"
#: Possessive, without backtracking, so that a long text is read only once.
_QUOTED = re.compile(r"""("(?:\\.|[^"\\])*+(?:"|\\?\Z)|'(?:\\.|[^'\\])*+(?:'|\\?\Z))""", re.DOTALL)

_HEAD = re.compile(r"(?P<owner>[\w.]+)\((?P<init>.*)\)\.(?P<method>\w+)", re.DOTALL)


class UsageFault(InvalidParameters):
    """A line that can't be parsed; one sentence, on one line whatever the line contains."""

    def __init__(self, message: str) -> None:
        super().__init__(redaction.one_line(message))


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


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `submit`, and ``--explain``."""
    for option in OPTIONS:
        parser.add_argument(option.flag, help=option.summary, metavar=option.placeholder, **_FORMS[option.form])
    parser.add_argument(
        "--explain", action="store_true", help="explain why it would run or be refused, without starting anything"
    )


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
        raise argparse.ArgumentTypeError(f"{redaction.quoted(text)} is not a whole number") from None


def _or_true(text: str) -> str | bool:
    return text or True


#: What argparse needs to know of each form.
_FORMS: dict[Form, dict[str, Any]] = {
    Form.TEXT: {},
    Form.INTEGER: {"type": whole_number},
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
        variable = _VARIABLE.fullmatch(part)
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
        raise UsageFault(f"A job needs a target before its parameters; {one_usage(parser)}")
    return JobLine(
        *_call(arguments.words, notebook_line.given_options(arguments), _Reader(variables, quoted=True)),
        given_options(arguments, variables),
        here=arguments.here,
        wait=arguments.wait,
        into=arguments.into,
        explain=arguments.explain,
    )


def _call(given: Sequence[str], options: Mapping[str, Any], reader: "_Reader") -> tuple[str, dict[str, Any], dict[str, Any]]:
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
    parser = Parser(**help_text.of_magic("%bgjob"))
    add_options(parser)
    notebook_line.add_options(parser)
    parser.add_argument("--into", metavar="NAME", type=variable_name, help="set this variable to the result, between two cells")
    parser.add_argument("--wait", action="store_true", help="follow the job in this cell; an interrupt leaves it running")
    parser.add_argument("--here", action="store_true", help="run the call in this kernel, to debug it; nothing is recorded")
    parser.add_argument("words", nargs="*", metavar="Class.method key=value", help=argparse.SUPPRESS)
    return parser


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


def parse_words(given: Sequence[str], options: Mapping[str, Any] | None = None) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Parse a shell's words: target, constructor's parameters, parameters. The shell has already removed the quotes.

    `options`: those for a notebook.
    """
    return _call(given, options or {}, _Reader({}, quoted=False))


def parameters(pairs: Sequence[str]) -> dict[str, Any]:
    """Parse ``key=value`` words of a shell."""
    return _Reader({}, quoted=False).pairs(pairs)


def refuse_variables(given: Sequence[str], variables: Mapping[str, Any]) -> None:
    """Refuse ``key=$name`` in a verb if it means a variable of the notebook: verbs take text, and would send its name.

    Raises
    ------
    UsageFault
        If there is one.
    """
    for word in given:
        name, equals, text = word.partition("=")
        sent = _VARIABLE.fullmatch(text) if equals and name.isidentifier() else None
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


def _head(target: str, reader: "_Reader") -> tuple[str, dict[str, Any]]:
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


class _Reader:
    """Parses ``key=value`` pairs."""

    def __init__(self, variables: Mapping[str, Any], *, quoted: bool) -> None:
        self._variables = variables
        self._quoted = quoted  # whether text with spaces or quotes must be quoted

    def of_magic(self) -> "_Reader":
        """Return the reader of what is inside a target's brackets, which is written as in a magic."""
        return _Reader(self._variables, quoted=True)

    def pairs(self, given: Iterable[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for pair in given:
            name, equals, text = pair.partition("=")
            name = name.strip()
            if not equals or not name.isidentifier():
                shown = quoted(redaction.typed(pair))
                raise UsageFault(f'{shown} is not a parameter: write key=value, with no spaces around "=".')
            if name in found:
                raise UsageFault(f"{cut(name)} is given twice.")
            found[name] = self._value(name, text.strip())
        return found

    def _value(self, name: str, text: str) -> Any:
        comma = commas.refusal(name, text, "".join(_quoted_parts(text)[::2]), quoted=self._quoted)
        if comma is not None:
            raise UsageFault(comma)
        whole = _VARIABLE.fullmatch(text) if self._quoted else None
        if whole:
            return self._variable(name, whole[1])
        try:
            value, variables = self._literal(name, text)
        except UsageFault:
            raise
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return self._bare(name, text)
        return value if variables else RawValue(text, value)

    def _literal(self, name: str, text: str) -> tuple[Any, bool]:
        """Evaluate a Python literal that may contain variables."""
        replaced = _outside_quotes(text, lambda part: _VARIABLE.sub(rf"{_STAND_IN}\1", part)) if self._quoted else text
        tree = ast.parse(replaced, mode="eval")
        filler = _Filler(lambda variable: self._variable(name, variable))
        return ast.literal_eval(filler.visit(tree)), filler.filled

    def _variable(self, name: str, variable: str) -> Any:
        if variable not in self._variables:
            shown = cut(redaction.shown_for(name, variable))
            raise UsageFault(f'{cut(name)}=${shown}: this notebook has no variable {shown}; to pass the text, write "${shown}".')
        return self._variables[variable]

    def _bare(self, name: str, text: str) -> RawValue:
        if self._quoted and any(character in text for character in "\"'()[]{}$"):
            shown = cut(redaction.shown_for(name, text))
            raise UsageFault(f"{cut(name)}={shown} is neither a Python literal nor a bare word: {self._instead(name, text)}.")
        if text in self._variables:
            shown, name = redaction.shown_for(name, text), cut(name)
            raise UsageFault(
                f"{name}={shown}: {shown} is a variable here. "
                f'Write {name}=${shown} for its value, or {name}="{shown}" for the text.'
            )
        if not text and self._quoted:
            raise UsageFault(f'{cut(name)}= has no value; for the empty text, write {cut(name)}="".')
        return RawValue(text, text, bare=True)

    def _instead(self, name: str, text: str) -> str:
        """Return what to write instead of a value that may not be meant as text."""
        if text.startswith("{") and text[1:-1] in self._variables:
            return f"write {cut(name)}=${cut(redaction.shown_for(name, text[1:-1]))} for the variable"
        if text.startswith("{") and text.endswith("}") and ":" not in text:
            return (
                "an expression in braces is not evaluated here; assign its value to a variable first, and write "
                f"{cut(name)}=$variable, or put quotes around text"
            )
        if text.startswith("$"):
            return "$ sends a variable as it is; assign its part to a variable first, or put quotes around text"
        return "put quotes around text"


class _Filler(ast.NodeTransformer):
    """Replaces placeholders with variables."""

    def __init__(self, look_up: Any) -> None:
        self._look_up = look_up
        self.filled = False

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if not node.id.startswith(_STAND_IN):
            return node
        self.filled = True
        return ast.copy_location(ast.Constant(self._look_up(node.id.removeprefix(_STAND_IN))), node)


def _outside_quotes(text: str, change: Any) -> str:
    return "".join(part if index % 2 else change(part) for index, part in enumerate(_quoted_parts(text)))


def _quoted_parts(text: str) -> list[str]:
    """Split into parts outside and inside quotes, in turn; an unclosed quote extends to the end."""
    return _QUOTED.split(text)
