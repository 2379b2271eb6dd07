"""Rows as older versions wrote them."""

_ROW = {
    "target": "work.echo",
    "name": None,
    "init": "{}",
    "params": '{"value": 7}',
    "pickled": "{}",
    "positional": "[]",
    "secrets": "[]",
    "hidden": "[]",
    "queue": "default",
    "priority": 0,
    "submitted_at": 1000.0,
    "allowed_attempts": 1,
    "rules": "{}",
}


def insert(connection, table, **values):
    columns = ", ".join(values)
    sql = f"INSERT INTO {table} ({columns}) VALUES ({', '.join('?' * len(values))})"
    return connection.execute(sql, list(values.values())).lastrowid
