"""Rows and ledger side by side: everything that the verdict judges by, gathered once when a run is over."""

import json
import os
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

from . import rows
from .place import Place
from .processes import Process
from .rows import Rows
from .watch import Watched

Event = dict
Run = tuple[str, int]


@dataclass(frozen=True)
class Evidence:
    """What was promised, what was done, what is there.

    Parameters
    ----------
    place : Place
        Where.
    rows : Rows
        The store.
    ran : list of dict
        What jobs said, in the order in which they said it.
    promised : list of dict
        What clients were told, each with its `client`.
    blows : list of dict
        What was done to whom.
    left : list of Process
        Who was still there at the end.
    watched : Watched
        What was seen meanwhile.
    """

    place: Place
    rows: Rows
    ran: list[Event]
    promised: list[Event]
    blows: list[Event]
    left: list[Process]
    watched: Watched

    @classmethod
    def gather(cls, place: Place, left: list[Process], watched: Watched) -> "Evidence":
        """Read all of it."""
        numbers = sorted(int(path.name.split(".")[1]) for path in place.root.glob("client.*.jsonl"))
        promised = [event | {"client": number} for number in numbers for event in place.client(number).read()]
        return cls(place, rows.read(place.database), place.ran.read(), promised, place.violence.read(), left, watched)

    def said(self, what: str) -> list[Event]:
        """What clients wrote down of one sort."""
        return [event for event in self.promised if event["what"] == what]

    def asked(self, verb: str) -> dict[int, list[float]]:
        """When something was asked of jobs, by id, whether or not it was answered."""
        found = defaultdict(list)
        for event in self.said("asking"):
            if event["verb"] == verb:
                found[event["job"]].append(event["at"])
        return found

    @cached_property
    def told(self) -> dict[str, dict[Run, list[Event]]]:
        """What jobs said, by what it was, then by uid and attempt."""
        found: dict[str, dict[Run, list[Event]]] = defaultdict(lambda: defaultdict(list))
        for event in self.ran:
            found[event["what"]][event["uid"], event["attempt"]].append(event)
        return found

    def of(self, what: str, uid: str, attempt: int) -> list[Event]:
        """What one attempt said of one sort."""
        return self.told[what].get((uid, attempt), [])

    @cached_property
    def removed(self) -> set[int]:
        """Jobs whose removal somebody asked for."""
        return set(self.asked("remove"))

    @cached_property
    def struck(self) -> set[int]:
        """PIDs that were killed, interrupted or terminated."""
        return {event["pid"] for event in self.blows if event["what"] in ("kill", "interrupt", "terminate")}

    def started(self, relative: str | None) -> dict:
        """The start marker of an attempt folder; empty where there is none."""
        try:
            return json.loads((self.place.state / (relative or "none") / "started.json").read_text())
        except (OSError, ValueError):
            return {}

    @cached_property
    def folders(self) -> set[str]:
        """Names of the jobs' folders."""
        return set(os.listdir(self.place.state / "jobs"))
