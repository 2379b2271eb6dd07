"""Insert rows: a mapping of columns to values gives both the names and the values of a statement. It knows no table."""

import functools
import operator
import sqlite3
from collections.abc import Callable, Mapping, Sequence

#: The values that SQLite can store.
SqlValue = str | int | float | bytes | None

#: A row to insert, by column.
NewRow = Mapping[str, SqlValue]


def insert(connection: sqlite3.Connection, table: str, row: NewRow, *, or_else: str = "ABORT") -> int:
    """Insert a row.

    Parameters
    ----------
    connection : sqlite3.Connection
        Inside a transaction.
    table : str
        The table.
    row : mapping
        The row; omitted columns get their defaults.
    or_else : str
        SQLite's resolution of a conflict with an existing row: ABORT, which raises, IGNORE or REPLACE.

    Returns
    -------
    int
        The row's id, if the table has ids and the row was inserted.
    """
    return int(connection.execute(_statement(table, tuple(row), or_else), tuple(row.values())).lastrowid or 0)


def insert_many(
    connection: sqlite3.Connection, table: str, rows: Sequence[NewRow], shared: NewRow | None = None, *, or_else: str = "ABORT"
) -> None:
    """Insert rows that have the same columns.

    Parameters
    ----------
    connection, table, or_else
        As for `insert`.
    rows : sequence of mapping
        The rows.
    shared : mapping, optional
        Columns that have the same value in all rows; they override those of a row.
    """
    if not rows:
        return
    common = dict(shared or {})
    own = tuple(name for name in rows[0] if name not in common)
    if any(row.keys() != rows[0].keys() for row in rows):
        raise ValueError(f"the rows for {table} have different columns")
    pick, ending = _picker(own), tuple(common.values())
    connection.executemany(_statement(table, (*own, *common), or_else), (pick(row) + ending for row in rows))


def insert_selected(
    connection: sqlite3.Connection, table: str, columns: Mapping[str, str], source: str, values: Mapping[str, SqlValue]
) -> int:
    """Insert one row for each row that a query finds.

    Parameters
    ----------
    connection, table
        As for `insert`.
    columns : mapping of str to str
        Each column with the SQL of its value.
    source : str
        The rest of the query, from FROM on.
    values : mapping
        Values of the names in both.

    Returns
    -------
    int
        The number of inserted rows.
    """
    sql = f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(columns.values())} {source}"
    return connection.execute(sql, dict(values)).rowcount


def _picker(names: tuple[str, ...]) -> Callable[[NewRow], tuple[SqlValue, ...]]:
    """Return a function that picks columns from a row."""
    if len(names) > 1:
        return operator.itemgetter(*names)
    return lambda row: tuple(row[name] for name in names)


@functools.lru_cache(maxsize=64)
def _statement(table: str, columns: tuple[str, ...], or_else: str) -> str:
    return f"INSERT OR {or_else} INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
