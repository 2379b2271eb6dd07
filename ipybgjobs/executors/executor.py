"""What an executor is: the one thing that a supervisor knows of where attempts run. It launches nothing itself.

An executor is given attempt folders, launches each at most once, and reports each end. It never opens the store and decides
nothing about a job. The start marker in a folder is created once, by the attempt or by whoever voids it; so a launch that comes
late runs nothing. No method waits.

To add one: write a package beside ``local`` with a class that has these methods, name it in `registry`, and run `conformance`
on it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from .exit import Exit
from .launch_request import LaunchChoice, LaunchKind, LaunchRequest
from .news import News


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an executor can do; `conformance` holds it to that.

    Parameters
    ----------
    kinds : frozenset of LaunchKind
        How it launches.
    ends_whole_tree : bool
        A cancelled attempt leaves none of the processes that it has started, those in sessions of their own included.
    knows_exit_status : bool
        An `Exit` says by which exit code or signal the process ended.
    measures_usage : bool
        An `Exit` says how much memory and processor time the attempt used.
    finds_after_restart : bool
        What it launched keeps running without it, and another executor of the same state folder finds it.
    """

    kinds: frozenset[LaunchKind]
    ends_whole_tree: bool = False
    knows_exit_status: bool = False
    measures_usage: bool = False
    finds_after_restart: bool = False


class AttemptStatus(Enum):
    """What has become of an attempt that somebody else launched."""

    VOID = "void"  #: it has not begun, and never will in its folder
    WATCHED = "watched"  #: it runs, and its end will be reported
    GONE = "gone"  #: it has begun, and its process has gone
    ELSEWHERE = "elsewhere"  #: it runs where only its lock can be seen; its end will be reported
    UNCLEAR = "unclear"  #: out of descriptors or disk space: to be checked again


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found out about an attempt, and whether it is known to have begun."""

    status: AttemptStatus
    begun: bool = False


class Cancellation(Protocol):
    """An attempt that is being ended, step by step."""

    @property
    def is_unwatched(self) -> bool:
        """Whether nobody will report the end of the process, if there is one."""

    def step(self) -> None:
        """Do what is due."""


class Cleanup(Protocol):
    """An attempt whose process has gone, until all that can be known of its end is known and what must not stay has ended."""

    @property
    def survivors(self) -> Sequence[int]:
        """PIDs of processes that could not be ended."""

    @property
    def left_running(self) -> Sequence[int]:
        """PIDs of processes that it has left running and that are to stay."""

    def step(self) -> Exit | None:
        """Do what is due; return the end once nothing is."""


class Executor(Protocol):
    """Launches attempts, and reports what becomes of them."""

    # -- attempts -------------------------------------------------------------------------------------------------

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""

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
        """Start attempts; whether that worked, `poll` reports."""

    def find(self, folder: str, *, declared_gone: bool = False) -> Finding:
        """Find out what has become of an attempt that somebody else launched, or that is unwatched; then watch it, if it runs.

        One that has not begun is voided: no launch of it runs any more.

        Parameters
        ----------
        folder : str
            The attempt folder.
        declared_gone : bool
            Whether a person has said that its process is gone, where that can't be seen.
        """

    def poll(self, ready: Iterable[int]) -> list[News]:
        """Return what has happened: each end once, unless it is not acknowledged and another executor finds it.

        Parameters
        ----------
        ready : iterable of int
            Descriptors of `filenos` that have news.
        """

    def cancel(self, folder: str, reason: str, grace: float) -> Cancellation | None:
        """Begin to end an attempt; None where it is enough that it is void now, or where its processes can't be reached.

        Parameters
        ----------
        folder : str
            The attempt folder.
        reason : str
            ``cancelled`` or ``timeout``; the attempt can read it.
        grace : float
            Seconds that it is given after each request to end.
        """

    def clean_up(self, end: Exit, grace: float | None) -> Cleanup:
        """Begin to end what an attempt has left running, and to wait for what is not known of its end yet.

        Parameters
        ----------
        end : Exit
            What is known of its end.
        grace : float or None
            Seconds that is given to what an attempt has left that ended by itself; None: that stays.
        """

    def acknowledge(self, folders: Sequence[str]) -> None:
        """Forget attempts: their ends are in the store."""

    # -- the supervisor's life ------------------------------------------------------------------------------------

    def warm_up(self) -> None:
        """Get ready to launch before there is anything to launch."""

    def filenos(self) -> list[int]:
        """Descriptors that become readable when there is news."""

    def seconds_until_due(self) -> float | None:
        """Seconds until `poll` has something to do, whether or not there is news; None: nothing."""

    @property
    def problem(self) -> str | None:
        """What is wrong with it, for people to read; None where nothing is."""

    @property
    def can_launch_nothing(self) -> bool:
        """Whether it can never launch anything any more: another supervisor has to."""

    def leave(self) -> None:
        """Let go of what runs: that keeps running, and its ends are recorded for whoever finds it."""

    def close(self) -> None:
        """End; only when nothing runs."""
