"""What an executor reports about the attempts that it got, as frozen values."""

from dataclasses import dataclass

from .exit import Exit


@dataclass(frozen=True, slots=True)
class Refusal:
    """An attempt that could not be launched and has not run, with the reason."""

    folder: str
    reason: str


@dataclass(frozen=True, slots=True)
class Launched:
    """An attempt that has got a process, which shows that launches work."""

    folder: str


@dataclass(frozen=True, slots=True)
class Unwatched:
    """An attempt whose end will not be reported, because what launched it is gone or silent: it has to be found."""

    folder: str


News = Exit | Refusal | Launched | Unwatched
