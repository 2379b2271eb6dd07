"""The protocol of an executor: everything that a supervisor knows about where attempts run. It launches nothing itself.

An executor gets attempt folders, launches each at most once, and reports how each ends. It never opens the store and decides
nothing about a job. The start marker in a folder is created once, either by the attempt or to void it, so a late
launch runs nothing. No method waits.

To add an executor, write a package beside ``local`` with a class that has these methods, name it in `registry`, and run
`conformance` on it.
"""

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Protocol

from msgspec import Struct

from .events import Event
from .exit import Exit
from .launch_request import LaunchChoice, LaunchKind, LaunchRequest


class Capabilities(Struct, frozen=True):
    """What an executor can do; `conformance` checks it.

    Parameters
    ----------
    kinds : frozenset of LaunchKind
        The kinds of launch that it supports.
    ends_whole_tree : bool
        A cancelled attempt leaves none of the processes that it started, not even those in their own sessions.
    knows_exit_status : bool
        An `Exit` has the exit code or the signal with which the process ended.
    measures_usage : bool
        An `Exit` has the memory and processor time that the attempt used.
    finds_after_restart : bool
        Its attempts keep running without it, and another executor of the same state folder finds them.
    """

    kinds: frozenset[LaunchKind]
    ends_whole_tree: bool = False
    knows_exit_status: bool = False
    measures_usage: bool = False
    finds_after_restart: bool = False


class AttemptStatus(Enum):
    """The status of an attempt that another process has launched."""

    VOID = "void"  #: it has not begun, and never will in its folder
    WATCHED = "watched"  #: it runs, and its end will be reported
    GONE = "gone"  #: it has begun, and its process is gone
    ELSEWHERE = "elsewhere"  #: it runs where only its lock is visible; its end will be reported
    UNCLEAR = "unclear"  #: out of descriptors or disk space: to be checked again


class Finding(Struct, frozen=True):
    """What was found out about an attempt, and whether it is known to have begun."""

    status: AttemptStatus
    begun: bool = False


class Cancellation(Protocol):
    """An attempt that is being ended, step by step."""

    @property
    def is_unwatched(self) -> bool:
        """Return whether the end of the process, if there is one, will not be reported."""

    def step(self) -> None:
        """Take the steps that are due."""


class Cleanup(Protocol):
    """An attempt whose process is gone, until its end is fully known and no process that must not stay is left."""

    @property
    def survivors(self) -> Sequence[int]:
        """Return the PIDs of processes that could not be killed."""

    @property
    def left_running(self) -> Sequence[int]:
        """Return the PIDs of processes that it left running and that may stay."""

    def step(self) -> Exit | None:
        """Take the steps that are due; return the end once nothing is left to do."""


class Executor(Protocol):
    """Launches attempts and reports how they end."""

    # -- attempts -------------------------------------------------------------------------------------------------

    @property
    def capabilities(self) -> Capabilities:
        """Return what it can do."""

    def choose(self, startup: str, variables: Iterable[str]) -> LaunchChoice:
        """Choose how an attempt is launched.

        Parameters
        ----------
        startup : str
            Fingerprint of the interpreter's start that the job needs (see `targets.context.startup_key`).
        variables : iterable of str
            Names of the environment variables that the attempt gets beyond its submitter's.
        """

    def launch(self, requests: Sequence[LaunchRequest]) -> None:
        """Start attempts; `poll` reports whether that worked."""

    def find(self, folder: str, *, declared_gone: bool = False) -> Finding:
        """Determine the status of an attempt that is unwatched or that another process launched, and watch it if it runs.

        An attempt that has not begun is voided: no launch of it can run after that.

        Parameters
        ----------
        folder : str
            The attempt folder.
        declared_gone : bool
            Whether a user has confirmed that its process is gone, if that can't be observed.
        """

    def poll(self, ready: Iterable[int]) -> list[Event]:
        """Return what has happened. Each end is reported once; if it is not acknowledged, the next executor finds it.

        Parameters
        ----------
        ready : iterable of int
            Descriptors of `filenos` that have events.
        """

    def cancel(self, folder: str, reason: str, grace: float) -> Cancellation | None:
        """Begin to end an attempt; None if voiding its start is enough, or if its processes can't be reached.

        Parameters
        ----------
        folder : str
            The attempt folder.
        reason : str
            ``cancelled`` or ``timeout``, which the attempt can read.
        grace : float
            Seconds that it has after each request to end.
        """

    def clean_up(self, end: Exit, grace: float | None) -> Cleanup:
        """Begin to end what an attempt left running, and to collect what is not yet known about its end.

        Parameters
        ----------
        end : Exit
            What is known about its end.
        grace : float or None
            Seconds to terminate for processes left by an attempt that ended by itself; None: they stay.
        """

    def acknowledge(self, folders: Sequence[str]) -> None:
        """Forget attempts whose ends are in the store."""

    # -- the supervisor's life ------------------------------------------------------------------------------------

    def warm_up(self) -> None:
        """Get ready to launch before there is anything to launch."""

    def filenos(self) -> list[int]:
        """Return the descriptors that become readable when there are events."""

    def seconds_until_due(self) -> float | None:
        """Return the seconds until `poll` has something to do even without events; None: nothing."""

    @property
    def problem(self) -> str | None:
        """Describe what is wrong with it, for users; None if nothing is wrong."""

    @property
    def can_launch_nothing(self) -> bool:
        """Return whether it can no longer launch anything, so that another supervisor must take over."""

    def leave(self) -> None:
        """Leave attempts running; their ends are recorded for the next executor. Only `close` may follow."""

    def close(self) -> None:
        """Close the executor; only when nothing is running."""
