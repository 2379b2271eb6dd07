"""Rows that are parsed already: what a transaction reads of them costs no more than its statements, since others wait for it.

A row that has not been parsed raises `Unparsed`. Whoever made the transaction rolls it back, has the rows parsed, and begins
again: the same statements then find the same rows. It knows no table, and reads nothing itself.
"""

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any

#: Rows that are kept from one transaction to the next.
_MOST = 64

#: Parses a row; never raises.
Parser = Callable[[sqlite3.Row], Any]


class Unparsed(Exception):  # noqa: N818 - it says what rows are
    """Rows have to be parsed before a transaction can be made.

    Parameters
    ----------
    parser : callable
        Parses one of them.
    rows : iterable of sqlite3.Row
        The rows, perhaps with others that the same transaction is about to need.
    """

    def __init__(self, parser: Parser, rows: Iterable[sqlite3.Row]) -> None:
        super().__init__()
        self.parser = parser
        self.rows = list(rows)


class Readings:
    """What rows were parsed to, by all that they hold."""

    def __init__(self) -> None:
        self._known: dict[tuple[Parser, tuple[Any, ...]], Any] = {}  # those that were used last come last

    def __call__(self, parser: Parser, rows: list[sqlite3.Row]) -> list[Any]:
        """Return what rows were parsed to.

        Raises
        ------
        Unparsed
            If one of them was not.
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
        """A transaction is made: keep what the next may read again, and nothing else."""
        for key in list(self._known)[:-_MOST]:
            del self._known[key]


def at_once(parser: Parser, rows: list[sqlite3.Row]) -> list[Any]:
    """Parse rows as they come, where nobody waits."""
    return [parser(row) for row in rows]
