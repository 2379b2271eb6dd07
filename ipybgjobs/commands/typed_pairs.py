"""Parse ``key=value`` words: a value is a Python literal, a bare word, or ``$name``, a variable of the notebook.

It never guesses silently: the meaning of a value may depend on the parameter's annotation, so its text is kept with it.
"""

import ast
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ..model import redaction
from ..model.redaction import cut, quoted
from ..targets.binding import RawValue
from . import commas
from .usage import UsageFault

#: A variable as a whole value, or in a literal.
VARIABLE = re.compile(r"\$([A-Za-z_]\w*)")

_STAND_IN = "bgjob_variable_"
#: Possessive, without backtracking, so that a long text is read only once.
_QUOTED = re.compile(r"""("(?:\\.|[^"\\])*+(?:"|\\?\Z)|'(?:\\.|[^'\\])*+(?:'|\\?\Z))""", re.DOTALL)


class PairReader:
    """Parses ``key=value`` words.

    Parameters
    ----------
    variables : mapping
        The notebook's variables; a bare word that names one is refused.
    quoted : bool
        Whether text with spaces or quotes must be quoted: a shell has removed the quotes.
    """

    def __init__(self, variables: Mapping[str, Any], *, quoted: bool) -> None:
        self._variables = variables
        self._quoted = quoted

    def of_magic(self) -> "PairReader":
        """Return the reader of what is inside a target's brackets, which is written as in a magic."""
        return PairReader(self._variables, quoted=True)

    def pairs(self, given: Iterable[str]) -> dict[str, Any]:
        """Return the values of words by name.

        Raises
        ------
        UsageFault
            If a word is not a pair, a name is given twice, or a value could mean several things.
        """
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
        whole = VARIABLE.fullmatch(text) if self._quoted else None
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
        replaced = _outside_quotes(text, lambda part: VARIABLE.sub(rf"{_STAND_IN}\1", part)) if self._quoted else text
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
