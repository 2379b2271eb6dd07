"""What an executor reports about its attempts, as frozen values."""

from dataclasses import dataclass

from .exit import Exit


@dataclass(frozen=True, slots=True)
class Refusal:
    """An attempt that could not be launched and did not run, with the reason."""

    folder: str
    reason: str


@dataclass(frozen=True, slots=True)
class Launched:
    """An attempt that now has a process, which shows that launches work."""

    folder: str


@dataclass(frozen=True, slots=True)
class Unwatched:
    """An attempt whose end will not be reported, because the process that launched it is gone or silent: call `find`."""

    folder: str


Event = Exit | Refusal | Launched | Unwatched
