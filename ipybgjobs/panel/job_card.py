"""What the live card of one job shows: its row, what it has recorded and, while it waits, who holds the slots; it only reads."""

from typing import Any

from ..model.records import JobState
from ..state.folder import StateFolder
from ..store.database import Database
from . import board, card, recorded


class JobCard:
    """The content of one card.

    Parameters
    ----------
    folder : StateFolder
        The state folder.
    job_id : int
        The job.
    """

    def __init__(self, folder: StateFolder, job_id: int) -> None:
        self._folder = folder
        self._id = job_id
        self._waits = False

    def content(self, database: Database) -> dict[str, Any]:
        """Return the keys of the first message that are those of this card."""
        rows = board.of_jobs(database, [self._id])
        self._note_wait(rows)
        values = recorded.of_jobs(database, self._folder, [self._id])
        return {"only": self._id, "rows": rows, "values": values, "count": 1, "whole": True}

    def mine(self, delta: dict[str, Any], _: Database) -> dict[str, Any] | None:
        """Return the part of a change that concerns the card; None if there is none."""
        found = card.part_of(delta, [self._id])
        waited = self._waits
        self._note_wait(found["rows"])
        return found if card.has_news(found, *(["full"] if waited or self._waits else [])) else None

    def _note_wait(self, rows: list[list[Any]]) -> None:
        """Note whether the job waits: then who holds the slots concerns it."""
        if rows:
            self._waits = JobState(rows[-1][1]).waiting
