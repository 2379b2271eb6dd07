"""What a card shows of a store: a part of it, and of its changes only those that concern this part. It reads nothing itself."""

from collections.abc import Container
from typing import Any, Protocol

from ..store.database import Database

#: What a change says of single jobs, and what it says that every card shows.
_OF_JOBS = ("rows", "progress", "values", "gone")
_AROUND = ("paused", "notice", "trouble", "lost")


class Card(Protocol):
    """The content of one card."""

    def content(self, database: Database) -> dict[str, Any]:
        """Return the keys of the first message that are those of this card."""

    def mine(self, delta: dict[str, Any], database: Database) -> dict[str, Any] | None:
        """Return the part of a change that concerns this card; None if there is none."""


def part_of(delta: dict[str, Any], job_ids: Container[int]) -> dict[str, Any]:
    """Return a change without what it says of other jobs, and without its base: their changes are not a gap."""
    found = {key: value for key, value in delta.items() if key != "base"}
    for key in ("rows", "progress", "values"):
        found[key] = [each for each in delta.get(key, []) if each[0] in job_ids]
    found["gone"] = [each for each in delta.get("gone", []) if each in job_ids]
    return found


def has_news(found: dict[str, Any], *also: str) -> bool:
    """Return whether a part of a change says anything to a card; `also`: what else it shows that concerns all jobs."""
    return any(key in found for key in (*_AROUND, *also)) or any(found[key] for key in _OF_JOBS)
