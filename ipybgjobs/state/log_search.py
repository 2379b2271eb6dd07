"""Searching an attempt's log for a pattern, line by line; the log is read in pieces, however large it is."""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..errors import InvalidParameters
from ..model.redaction import one_line, quoted
from .text_log import TextLog

#: Bytes that are read at once. A longer line is searched in parts of at least this length.
_PIECE = 1 << 20


class Match(NamedTuple):
    """A line of a log that matches: its number, from 1, and its text without the line's end."""

    number: int
    text: str

    def __str__(self) -> str:
        return f"{self.number}:{self.text}"


def pattern(text: str) -> re.Pattern[str]:
    """Return a regular expression from its text.

    Raises
    ------
    InvalidParameters
        If it is not one.
    """
    if not isinstance(text, str):
        raise InvalidParameters(f"grep must be text, a regular expression; got {quoted(text)}.")
    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        reason = one_line(str(error))
        raise InvalidParameters(
            f"grep must be a regular expression; {quoted(text)} is not ({reason}). A character such as ( or [ is meant as itself "
            "after a backslash."
        ) from None


def matches(log: TextLog, pattern: re.Pattern[str], tail: int | None = None) -> list[Match]:
    """Return the lines in which a pattern is found, or only the last ones."""
    found = (Match(number, text) for number, text in _lines(log) if pattern.search(text))
    return list(found if tail is None else deque(found, maxlen=tail))


def _lines(log: TextLog) -> Iterator[tuple[int, str]]:
    """Yield the lines with their numbers, as `TextLog.text` has them; a progress bar, which only returns the carriage, is one."""
    number, rest = 1, b""
    for content in _pieces(log):
        *whole, rest = (rest + content).split(b"\n")
        for line in whole:
            yield number, _text(line)
            number += 1
        if len(rest) > _PIECE:
            yield number, _text(rest)
            rest = b""
    if rest:
        yield number, _text(rest)


def _pieces(log: TextLog) -> Iterable[bytes]:
    position, end = 0, log.size
    while position < end:
        content, position = log.piece(position, min(_PIECE, end - position))
        yield content


def _text(line: bytes) -> str:
    return line.decode("utf-8", "backslashreplace").removesuffix("\r")
