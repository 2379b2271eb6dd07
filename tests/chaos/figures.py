"""How much of what happened in a run, as a table for people and as JSON for comparison."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from . import verdict
from .evidence import Evidence


@dataclass(frozen=True)
class Figures:
    """Numbers by name, in the order in which they are shown."""

    values: dict[str, Any]

    @classmethod
    def of(cls, evidence: Evidence, minutes: float) -> "Figures":
        """Count.

        Parameters
        ----------
        evidence : Evidence
            Of the run.
        minutes : float
            From the first submit to the last end.
        """
        rows = evidence.rows
        attempts = [attempt for attempt in rows.attempts.values() if attempt.number]
        blows = Counter(f"{event['role']}: {event['what']}" for event in evidence.blows if event["what"] != "continue")
        errors = evidence.place.state / "supervisor.err"
        return cls(
            {
                "jobs": len(rows.jobs),
                "jobs removed": len(evidence.removed - rows.jobs.keys()),
                "jobs by state": dict(Counter(job.state for job in rows.jobs.values())),
                "attempts": len(attempts),
                "attempts by outcome": dict(Counter(str(attempt.outcome) for attempt in attempts)),
                "launched again before they began": sum(attempt.launches - 1 for attempt in attempts),
                "attempts after the first": sum(attempt.number > 1 for attempt in attempts),
                "minutes": round(minutes, 1),
                "jobs a second": round(len(rows.jobs) / minutes / 60, 1),
                "blows": sum(blows.values()),
                "blows by role": dict(sorted(blows.items())),
                "lives of clients": len(evidence.said("born")),
                "interrupts that reached a call": len(evidence.said("interrupted")),
                "rows of interrupted or killed submits": len(verdict.unpromised(evidence)),
                "refusals": len(evidence.said("refused")),
                "longest call that writes, in seconds": round(_longest_write(evidence), 2),
                "longest time without a supervisor while work waited, in seconds": round(evidence.watched.unsupervised, 2),
                "longest time in which no job ended while work waited, in seconds": round(evidence.watched.standstill, 2),
                "folders without a row": len(
                    evidence.folders - {job.uid for job in rows.jobs.values()} - rows.groups,
                ),
                "ends that background_jobs.log does not tell": _untold(evidence),
                "lines in supervisor.err": len(errors.read_text(errors="replace").splitlines()) if errors.exists() else 0,
            }
        )

    def table(self) -> str:
        """Return the numbers, a line each."""
        lines = []
        for name, value in self.values.items():
            shown = ", ".join(f"{each:,} {key}" for key, each in value.items()) if isinstance(value, dict) else f"{value:,}"
            lines.append(f"{name:<66}{shown}")
        return "\n".join(lines)


def _longest_write(evidence: Evidence) -> float:
    """The longest that a client waited to write, while it was not stopped itself."""
    stops = _stops(evidence)
    lengths = [0.0]
    for event in evidence.said("slow"):
        began, ended = event["began"], event["at"]
        stopped = any(pid == event["by"] and start < ended and end > began for pid, start, end in stops)
        if event["verb"] in ("submit", "submit_many", "priority") and not stopped:
            lengths.append(ended - began)
    return max(lengths)


def _stops(evidence: Evidence) -> list[tuple[int, float, float]]:
    """Who was stopped, from when to when."""
    since: dict[int, float] = {}
    found = []
    for event in evidence.blows:
        if event["what"] == "stop":
            since.setdefault(event["pid"], event["at"])
        elif event["what"] == "continue" and event["pid"] in since:
            found.append((event["pid"], since.pop(event["pid"]), event["at"]))
    return found


def _untold(evidence: Evidence) -> int:
    """Ends of attempts without a line in the log: a supervisor that is killed after its commit has not written it."""
    log = evidence.place.state / "logs" / "background_jobs.log"
    pattern = re.compile(r"job (\d+) attempt (\d+) of \d+ (?!.* started$)")
    told = {(int(found[1]), int(found[2])) for found in map(pattern.search, _lines(log)) if found}
    ends = {(each.job, each.number) for each in evidence.rows.attempts.values() if each.number and each.outcome}
    return len(ends - told)


def _lines(path: Any) -> list[str]:
    return path.read_text(errors="replace").splitlines() if path.exists() else []
