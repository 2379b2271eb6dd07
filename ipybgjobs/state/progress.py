"""The progress that a job reports: read from an attempt folder, and worded for users."""

import math
from typing import Any

from msgspec import Struct

from ..model import durations
from ..model.redaction import one_line
from ..system import private_file
from . import attempt
from .current_job import Bar

#: Most characters of a text, and most nested loops, that are shown; a job may report any number.
_LONGEST, _MOST_BARS = 1000, 50


class Progress(Struct, frozen=True):
    """The progress of a job.

    Parameters
    ----------
    bars : tuple of Bar
        Its loops, the outermost first.
    message : str
        What it is doing.
    at : float
        When it reported this, in seconds since the epoch.
    """

    bars: tuple[Bar, ...]
    message: str
    at: float

    @property
    def done(self) -> float:
        """Steps done of the outermost loop."""
        return self.bars[0].done if self.bars else 0.0

    @property
    def total(self) -> float | None:
        """Steps of the outermost loop; None if unknown."""
        return self.bars[0].total if self.bars else None

    @property
    def fraction(self) -> float | None:
        """Fraction of the outermost loop that is done, including the progress of inner loops; None if unknown."""
        found = None
        for bar in reversed(self.bars):
            if not bar.total or bar.total < 0:
                continue
            inner = found if found is not None and found < 1 else 0.0
            found = min(1.0, max(0.0, (bar.done + inner) / bar.total))
        return found

    @property
    def rate(self) -> float | None:
        """Steps per second."""
        return self.bars[0].rate if self.bars else None

    @property
    def remaining(self) -> float | None:
        """Seconds left at this rate; None if unknown."""
        if self.total is None or not self.rate:
            return None
        left = max(0.0, (self.total - self.done) / self.rate)
        return left if left <= durations.LONGEST else None

    def __str__(self) -> str:
        """Return a short description: ``45 %, 3 m left, 2.1 it/s: epoch 12``."""
        words = [] if self.fraction is None else [f"{self.fraction:.0%}".replace("%", " %")]
        if self.fraction is None and self.bars:
            words = [f"{self.done:,.0f}{' ' + self.bars[0].unit if self.bars[0].unit else ''}"]
        if self.remaining:
            words.append(f"{durations.show(self.remaining)} left")
        if self.rate and self.bars[0].unit:
            words.append(f"{self.rate:.3g} {self.bars[0].unit}/s")
        text = one_line(self.message or (self.bars[0].label if self.bars else ""))
        return ", ".join(words) + (f": {text}" if text and words else text)


def of_attempt(folder: str) -> Progress | None:
    """Read the progress of an attempt; None if it has reported none."""
    value = private_file.read_json(folder, attempt.PROGRESS)
    try:
        return None if value is None else Progress(_bars(value["bars"]), str(value["message"])[:_LONGEST], float(value["at"]))
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError):
        return None  # anyone may have written the file


def _bars(values: list[Any]) -> tuple[Bar, ...]:
    return tuple(map(_bar, values[:_MOST_BARS]))


def _bar(values: list[Any]) -> Bar:
    """Return a loop whose numbers are finite."""
    label, done, total, unit, elapsed, rate = values
    return Bar(
        str(label)[:_LONGEST], _finite(done) or 0.0, _finite(total), str(unit)[:_LONGEST], _finite(elapsed) or 0.0, _finite(rate)
    )


def _finite(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
