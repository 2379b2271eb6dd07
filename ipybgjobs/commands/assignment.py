"""Set variables to the result of a job, or to parts of it, once it has succeeded: between two cells, never during one."""

from collections.abc import Collection, Iterable
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from msgspec import Struct

from ..client.jobs.job import Job
from ..errors import BackgroundJobError, ResultNotKept
from ..model.records import JobState


class PendingAssignment(Struct, frozen=True):
    """The job that a variable waits for.

    Parameters
    ----------
    job : Job
        The job whose result it gets.
    part : bool
        Whether it gets the part of the result with the variable's name, not all of it.
    """

    job: Job
    part: bool = False


class PendingAssignments:
    """The variables of a notebook that wait for jobs.

    Parameters
    ----------
    shell : InteractiveShell
        The shell that runs the cells.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self.waiting: dict[str, PendingAssignment] = remove(shell)  # the extension may have been loaded again
        for event in ("pre_run_cell", "post_run_cell"):
            shell.events.register(event, self._assign_ready)

    def add(self, name: str, job: Job) -> None:
        """Set a variable once a job has succeeded; a later job for the same name replaces an earlier one."""
        self.waiting[name] = PendingAssignment(job)

    def add_parts(self, names: Iterable[str], job: Job) -> None:
        """Set each variable to the part of a job's result with its name."""
        self.waiting |= {name: PendingAssignment(job, part=True) for name in names}

    def _assign_ready(self, *_: Any) -> None:
        for job in dict.fromkeys(awaited.job for awaited in self.waiting.values()):
            due = {name: awaited for name, awaited in self.waiting.items() if awaited.job == job}
            try:
                if not job.state.ended:
                    continue
                said = self._set(due, job)
            except BackgroundJobError as error:
                said = f"{_not_set(due)}: {error}"
            except Exception:
                self._forget(due)
                raise
            self._forget(due)  # only now: after an interrupt they still wait, and are set after the next cell
            print(said)  # noqa: T201 - variables have changed

    def _forget(self, due: Iterable[str]) -> None:
        for name in due:
            self.waiting.pop(name, None)

    def _set(self, due: dict[str, PendingAssignment], job: Job) -> str:
        """Set the variables that wait for one job, and return a sentence about it."""
        if job.state is not JobState.SUCCEEDED:
            return f"{_not_set(due)}: job {job.id} {job.status}{': ' + job.error if job.error else ''}"
        result = job.result()
        found = {name: result[name] if awaited.part else result for name, awaited in due.items()}
        lost = {name: value for name, value in found.items() if isinstance(value, ResultNotKept)}
        self._shell.user_ns.update({name: value for name, value in found.items() if name not in lost})
        parts = [name for name, awaited in due.items() if awaited.part and name not in lost]
        whole = [name for name, awaited in due.items() if not awaited.part]
        said = [f"{', '.join(parts)} set by job {job.id}"] if parts else []
        said += [f"{', '.join(whole)} is the result of job {job.id}"] if whole else []
        return "; ".join([*said, *(f"{_not_set([name])}: {error}" for name, error in lost.items())])


def _not_set(names: Collection[str]) -> str:
    return f"{', '.join(names)} {'was' if len(names) == 1 else 'were'} not set"


def remove(shell: InteractiveShell) -> dict[str, PendingAssignment]:
    """Stop watching the cells of a shell, and return the variables that still wait."""
    waiting: dict[str, PendingAssignment] = {}
    for event in ("pre_run_cell", "post_run_cell"):
        for callback in list(shell.events.callbacks[event]):
            owner: Any = getattr(callback, "__self__", None)
            if type(owner).__name__ == PendingAssignments.__name__:  # of this module, or of an earlier import of it
                waiting |= owner.waiting
                shell.events.unregister(event, callback)
    return waiting
