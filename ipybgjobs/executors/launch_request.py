"""An attempt to be launched, and the kinds of launch. How each kind works is up to the executor."""

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct


class LaunchKind(StrEnum):
    """How an attempt gets its process; the value is stored, and shown to users."""

    FORK = "fork"  #: a fork of a process that has loaded what every attempt needs
    FRESH = "fresh process"  #: a new process of the interpreter that submitted the job


class LaunchChoice(Struct, frozen=True):
    """The kind of launch that an attempt gets, and why it is not the fastest one; None if it is."""

    kind: LaunchKind
    reason: str | None = None


class LaunchRequest(Struct, frozen=True):
    """An attempt to be launched.

    Parameters
    ----------
    folder : str
        The attempt folder. No two launches share one.
    content : bytes
        What the worker has to do (see `state.request`): the executor sends it to a fork, and writes it to the folder otherwise.
    command : sequence of str
        Command to execute if it is not a fork.
    environment : dict of str to str
        Environment variables, which are never written to a file.
    output : str or None
        File for its output; None: the one in the folder.
    kind : LaunchKind
        How it is launched.
    """

    folder: str
    content: bytes
    command: Sequence[str]
    environment: dict[str, str]
    output: str | None = None
    kind: LaunchKind = LaunchKind.FORK
