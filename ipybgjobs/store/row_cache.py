"""Parsed rows, kept so that a transaction spends no time on parsing while others wait for it.

A row that has not been parsed raises `Unparsed`. The caller then rolls the transaction back, has the rows parsed, and starts
again: the same statements find the same rows. This module knows no table and reads nothing itself.
"""

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any

#: Number of rows that are kept from one transaction to the next.
_MOST = 64

#: Parses a row; never raises.
Parser = Callable[[sqlite3.Row], Any]


class Unparsed(Exception):  # noqa: N818 - named after the state of rows
    """Raised when rows have to be parsed before a transaction can be completed.

    Parameters
    ----------
    parser : callable
        Parses one row.
    rows : iterable of sqlite3.Row
        The rows, possibly with others that the same transaction will need.
    """

    def __init__(self, parser: Parser, rows: Iterable[sqlite3.Row]) -> None:
        super().__init__()
        self.parser = parser
        self.rows = list(rows)


class Readings:
    """Parsed rows, by their full content."""

    def __init__(self) -> None:
        self._known: dict[tuple[Parser, tuple[Any, ...]], Any] = {}  # the most recently used ones come last

    def __call__(self, parser: Parser, rows: list[sqlite3.Row]) -> list[Any]:
        """Return the parsed rows.

        Raises
        ------
        Unparsed
            If one of them was not parsed yet.
        """
        keys = [(parser, tuple(row)) for row in rows]
        missing = [row for row, key in zip(rows, keys, strict=True) if key not in self._known]
        if missing:
            raise Unparsed(parser, missing)
        for key in keys:
            self._known[key] = self._known.pop(key)
        return [self._known[key] for key in keys]

    def learn(self, unparsed: Unparsed) -> None:
        """Parse rows."""
        for row in unparsed.rows:
            self._known[unparsed.parser, tuple(row)] = unparsed.parser(row)

    def forget(self) -> None:
        """Keep only what the next transaction may read again, after one was completed."""
        for key in list(self._known)[:-_MOST]:
            del self._known[key]


def at_once(parser: Parser, rows: list[sqlite3.Row]) -> list[Any]:
    """Parse rows immediately, for callers that keep no other process waiting."""
    return [parser(row) for row in rows]
