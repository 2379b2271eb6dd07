"""What an executor reports about its attempts, as frozen values."""

from msgspec import Struct

from .exit import Exit


class Refusal(Struct, frozen=True):
    """An attempt that could not be launched and did not run, with the reason."""

    folder: str
    reason: str


class Launched(Struct, frozen=True):
    """An attempt that now has a process, which shows that launches work."""

    folder: str


class Unwatched(Struct, frozen=True):
    """An attempt whose end will not be reported, because the process that launched it is gone or silent: call `find`."""

    folder: str


Event = Exit | Refusal | Launched | Unwatched
