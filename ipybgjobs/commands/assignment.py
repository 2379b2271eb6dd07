"""Variables that get what a job has returned, or a part of it, when it has succeeded: between two cells, never within one."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from ..client.jobs.job import Job
from ..errors import BackgroundJobError, ResultNotKept
from ..model.records import JobState


@dataclass(frozen=True, slots=True)
class Awaited:
    """What a variable waits for.

    Parameters
    ----------
    job : Job
        Whose result it gets.
    part : bool
        Whether it gets what the result has under the variable's name, not the whole.
    """

    job: Job
    part: bool = False


class Into:
    """The variables of one notebook that wait for jobs.

    Parameters
    ----------
    shell : InteractiveShell
        Whose cells begin and end.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self.waiting: dict[str, Awaited] = remove(shell)  # the extension may have been loaded again
        for event in ("pre_run_cell", "post_run_cell"):
            shell.events.register(event, self._look)

    def add(self, name: str, job: Job) -> None:
        """Set a variable once a job has succeeded; a later job for the same name takes the place of an earlier one."""
        self.waiting[name] = Awaited(job)

    def add_parts(self, names: Iterable[str], job: Job) -> None:
        """Set each variable to what the result of a job has under its name."""
        self.waiting |= {name: Awaited(job, part=True) for name in names}

    def _look(self, *_: Any) -> None:
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
            self._forget(due)  # not before: an interrupt leaves them waiting, and they are set after the next cell
            print(said)  # noqa: T201 - variables have changed

    def _forget(self, due: Iterable[str]) -> None:
        for name in due:
            self.waiting.pop(name, None)

    def _set(self, due: dict[str, Awaited], job: Job) -> str:
        """Set what waits for one job, and say so."""
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


def remove(shell: InteractiveShell) -> dict[str, Awaited]:
    """Look no more at the cells of a shell, and return what still waits."""
    waiting: dict[str, Awaited] = {}
    for event in ("pre_run_cell", "post_run_cell"):
        for callback in list(shell.events.callbacks[event]):
            owner: Any = getattr(callback, "__self__", None)
            if type(owner).__name__ == Into.__name__:  # of this module, or of one that was imported before
                waiting |= owner.waiting
                shell.events.unregister(event, callback)
    return waiting
