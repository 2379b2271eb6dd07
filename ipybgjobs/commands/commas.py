"""A comma that separates parameters, as in a call: on a line it would become part of a value, so it is refused."""

import ast
import re

from ..model import redaction
from ..model.redaction import cut

#: The beginning of another parameter after a comma.
_NEXT_PARAMETER = re.compile(r",[A-Za-z_]\w*=(?!=)")


def refusal(name: str, text: str, outside: str, *, quoted: bool) -> str | None:
    """Return why a value is refused; None if it has no such comma.

    Parameters
    ----------
    name : str
        The parameter.
    text : str
        Its value, as typed.
    outside : str
        The part of it that is outside quotes.
    quoted : bool
        Whether text with commas has its quotes still, which a shell takes off.
    """
    name, shown = cut(name), cut(redaction.shown_for(name, text))
    if text.endswith(",") and (quoted or _is_literal(text[:-1])):
        value = shown.rstrip(",")
        item = value if _is_literal(value) or value.startswith("$") else f'"{value}"'
        return f"{name}={shown} ends in a comma: parameters are separated by spaces; for a tuple write {name}=({item},)."
    if quoted and text[:1] not in "([{" and _NEXT_PARAMETER.search(outside):
        return f"{name}={shown} has a comma where a space belongs: for a comma in a text, put quotes around the text."
    return None


def _is_literal(text: str) -> bool:
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False
    return True
