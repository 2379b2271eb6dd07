"""The places that jobs belong to, and the transfer of jobs from a place that is gone; never changes a job's state.

A place is recorded together with what it submits, and forgotten once it is gone.
"""

import json
import sqlite3
from collections.abc import Sequence

from ..model.records import Owner
from ..system import place
from ..system.place import Place
from .database import Database
from .insertion import NewRow, insert
from .queries import has_work


def record_own(connection: sqlite3.Connection, state_dir: str) -> None:
    """Record what is known about this process's place."""
    known = place.current(state_dir)
    row: NewRow = {
        "place": known.key,
        "host": known.host,
        "boot": known.boot,
        "pid_namespace": known.pid_namespace,
        "machine": known.machine,
        "device": known.device,
    }
    insert(connection, "places", row, or_else="IGNORE")


def others(database: Database, here: str, *, idle: bool = False) -> list[Place]:
    """Read the other places that have work; `idle`: also those that have none."""
    sql = "SELECT place AS key, host, boot, pid_namespace, machine, device FROM places WHERE place != ?"
    found = [Place(**row) for row in map(dict, database.read(sql, (here,)))]
    return [each for each in found if idle or has_work(database, each.key)]


def attempts(database: Database, key: str) -> list[tuple[int, str]]:
    """Read the unfinished attempts of a place: job, and folder relative to the state folder."""
    sql = "SELECT job_id, folder FROM attempts WHERE outcome IS NULL AND place = ?"
    return [(row["job_id"], row["folder"]) for row in database.read(sql, (key,)) if _is_folder(row["folder"])]


def take_over(connection: sqlite3.Connection, gone: str, owner: Owner, but: Sequence[int] = ()) -> list[int]:
    """Transfer the waiting and running jobs of a place to another.

    Parameters
    ----------
    connection : sqlite3.Connection
        Inside a transaction.
    gone : str
        Key of the place.
    owner : Owner
        The new owner.
    but : sequence of int
        Jobs that stay, since one of their processes is still alive there.

    Returns
    -------
    list of int
        Ids of the jobs.
    """
    values = {"gone": gone, "stay": json.dumps(list(but)), "place": owner.place, "host": owner.host}
    found: set[int] = set()
    for what in ("state = 'queued'", "hook IS NOT NULL", _RUNS):
        sql = f"UPDATE jobs SET place = :place, host = :host, booted_at = NULL WHERE {what} AND {_LEFT.format('id')} RETURNING id"
        found.update(row[0] for row in connection.execute(sql, values).fetchall())
    connection.execute(f"UPDATE attempts SET place = :place WHERE outcome IS NULL AND {_LEFT.format('job_id')}", values)
    connection.execute(f"UPDATE requests SET place = :place WHERE {_LEFT.format('job_id')}", values)
    return sorted(found)


#: The jobs that a place has left, by the column that holds the job's id.
_LEFT = "place = :gone AND {} NOT IN (SELECT value FROM json_each(:stay))"

#: A job with an unfinished attempt or hook call.
_RUNS = "id IN (SELECT job_id FROM attempts WHERE outcome IS NULL AND attempts.place = :gone)"


def forget(connection: sqlite3.Connection, gone: str) -> None:
    """Forget a place that is gone and has no work left."""
    connection.execute("DELETE FROM supervisors WHERE place = ?", (gone,))
    connection.execute("DELETE FROM places WHERE place = ?", (gone,))


def elsewhere(database: Database, here: str, job_id: int | None = None) -> list[int]:
    """Read the jobs of other places that are unfinished or have an unfinished hook; all of them, or only one if given."""
    which = "" if job_id is None else " AND {} = :job"
    sql = f"""SELECT id FROM jobs WHERE state IN ('queued', 'running') AND place != :here{which.format("id")}
        UNION SELECT id FROM jobs WHERE hook IS NOT NULL AND place != :here{which.format("id")}
        UNION SELECT job_id FROM attempts WHERE outcome IS NULL AND place != :here{which.format("job_id")} ORDER BY 1"""
    return [row[0] for row in database.read(sql, {"here": here, "job": job_id})]


def attempts_of(database: Database, job_id: int) -> list[str]:
    """Read the folders, relative to the state folder, of a job's unfinished attempts."""
    sql = "SELECT folder FROM attempts WHERE job_id = ? AND outcome IS NULL AND folder IS NOT NULL"
    return [row["folder"] for row in database.read(sql, (job_id,)) if _is_folder(row["folder"])]


def _is_folder(value: object) -> bool:
    """Return whether a column can name a folder: any program may have written the row."""
    return isinstance(value, str) and "\0" not in value
