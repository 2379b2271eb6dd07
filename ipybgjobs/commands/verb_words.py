"""The words of a verb, from a notebook's line: without their quotes, as a shell would pass them."""

import re

#: Quoted text within a word; possessive, without backtracking, so that a long word is read only once.
_QUOTED = re.compile(r"""\"((?:\\.|[^"\\])*+)\"|'([^']*+)'""", re.DOTALL)


def unquoted(word: str) -> str:
    """Remove the quotes from a verb's word as a shell does; the value of ``key=value`` is a literal, and keeps its own."""
    name, equals, _ = word.partition("=")
    return word if equals and name.isidentifier() else _QUOTED.sub(_inner, word)


def _inner(found: re.Match[str]) -> str:
    return found[2] if found[1] is None else re.sub(r'\\(["\\])', r"\1", found[1])
