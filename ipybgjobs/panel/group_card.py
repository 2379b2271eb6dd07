"""What the live card of a group shows: its jobs as rows, what each differs in, and the values by which they are compared.

It only reads.
"""

from typing import Any

from ..client.jobs import dataframe
from ..errors import UnknownJob
from ..model.records import JobRecord
from ..model.redaction import cut, one_line
from ..state.folder import StateFolder
from ..store import listing
from ..store.database import Database
from . import board, card, recorded

#: Largest number of jobs of a live card; a larger group is shown as it was.
MOST = 2000

#: Longest text of what a job differs in, in characters.
_LONGEST = 160

_ENDED = ("succeeded", "failed", "cancelled")


class GroupCard:
    """The content of one card.

    Parameters
    ----------
    database : Database
        The store.
    folder : StateFolder
        Its state folder.
    group_id : int
        The group.

    Raises
    ------
    UnknownJob
        If its jobs were removed.
    """

    def __init__(self, database: Database, folder: StateFolder, group_id: int) -> None:
        self._folder = folder
        record = listing.group(database, group_id)
        if record is None:
            raise UnknownJob(f"Group {group_id} is not in {folder.path}, or its jobs were removed.")
        self._members = listing.members(database, group_id)
        self._ids = {each.id for each in self._members}
        title = " · ".join(filter(None, (f"group {record.id}", record.name and cut(one_line(record.name)), record.target)))
        self._about = {"id": group_id, "title": title, "labels": {each.id: text for each, text in labels(self._members)}}

    def content(self, database: Database) -> dict[str, Any]:
        """Return the keys of the first message that are those of this card."""
        rows = board.of_jobs(database, sorted(self._ids))
        values = recorded.of_jobs(database, self._folder, self._ids)
        return {"group": self._about, "rows": rows, "values": values, "count": len(rows), "whole": True}

    def mine(self, delta: dict[str, Any], database: Database) -> dict[str, Any] | None:
        """Return the part of a change that concerns the card, with the values of jobs that have ended; None if there is none."""
        found = card.part_of(delta, self._ids)
        ended = [each[0] for each in found["rows"] if each[1] in _ENDED]
        if ended:
            found["values"] += recorded.of_jobs(database, self._folder, ended)
        return found if card.has_news(found) else None


def labels(members: list[JobRecord]) -> list[tuple[JobRecord, str]]:
    """Return each job of a group with the parameters in which they differ, as text; a job alone, with all of them."""
    given = [dataframe.parameters_of(each.call) for each in members]
    names = dict.fromkeys(name for each in given for name in each)
    differ = [name for name in names if len({repr(each.get(name)) for each in given}) > 1] or list(names)
    return [(member, _text(each, differ)) for member, each in zip(members, given, strict=True)]


def _text(given: dict[str, Any], names: list[str]) -> str:
    shown = ((name, given[name]) for name in names if name in given)
    return cut(one_line(", ".join(f"{name}={_value(value)}" for name, value in shown)), _LONGEST)


def _value(value: Any) -> str:
    return cut(value if isinstance(value, str) else repr(value), 60)
