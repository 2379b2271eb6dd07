"""The attempts that the supervisor is handling, by folder: running, exiting, ended, or to be launched again; it inspects none."""

import time
from typing import TYPE_CHECKING

from ..executors.exit import Exit
from .running import ActiveAttempt

if TYPE_CHECKING:
    from ..executors.executor import Cleanup


class Attempts:
    """The attempts that the supervisor is handling, by attempt folder."""

    def __init__(self) -> None:
        self.running: dict[str, ActiveAttempt] = {}
        self.cleanups: dict[str, Cleanup] = {}  #: those whose process is gone; still in `running`
        self.ended: dict[str, Exit] = {}  #: not yet recorded; still in `running`
        self.voided: dict[str, ActiveAttempt] = {}  #: to be launched again
        self.unclear: set[str] = set()  #: to be checked again; still in `running`

    def any(self) -> bool:
        """Return whether there are any attempts."""
        return bool(self.running or self.ended or self.voided)

    def all(self) -> list[ActiveAttempt]:
        """Return all attempts, including those that are to be launched again."""
        return [*self.running.values(), *self.voided.values()]

    def void(self, run: ActiveAttempt) -> None:
        """Mark an attempt to be launched again that has not started, and never will in its folder."""
        run.voided_at = time.monotonic()
        self.unclear.discard(run.folder)
        self.running.pop(run.folder, None)
        self.cleanups.pop(run.folder, None)
        self.voided[run.folder] = run

    def add(self, run: ActiveAttempt, *, is_unclear: bool) -> None:
        """Add an attempt that was found."""
        self.running[run.folder] = run
        if is_unclear:
            self.unclear.add(run.folder)
        else:
            self.unclear.discard(run.folder)

    def refuse(self, run: ActiveAttempt, reason: str) -> None:
        """Mark a claimed attempt that can't be launched as denied."""
        run.refused = reason
        self.running[run.folder], self.ended[run.folder] = run, Exit(run.folder)

    def give_up(self, run: ActiveAttempt, trouble: str) -> None:
        """Mark an attempt that can't be inspected as ended."""
        run.trouble = trouble
        self.running[run.folder], self.ended[run.folder] = run, Exit(run.folder)

    def forget(self, folder: str) -> None:
        """Forget an attempt whose end or next launch is in the store."""
        for held in (self.running, self.cleanups, self.ended, self.voided):
            held.pop(folder, None)
        self.unclear.discard(folder)
