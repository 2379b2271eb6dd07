"""``%bgjob --into NAME``: a variable gets the result when the job has succeeded, between two cells, never within one."""

from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from .errors import BackgroundJobError
from .handle import Job
from .models import JobState


class Into:
    """The variables of one notebook that wait for jobs.

    Parameters
    ----------
    shell : InteractiveShell
        Whose cells begin and end.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self.waiting: dict[str, Job] = remove(shell)  # the extension may have been loaded again
        for event in ("pre_run_cell", "post_run_cell"):
            shell.events.register(event, self._look)

    def add(self, name: str, job: Job) -> None:
        """Set a variable once a job has succeeded; a later job for the same name takes the place of an earlier one."""
        self.waiting[name] = job

    def _look(self, *_: Any) -> None:
        for name, job in list(self.waiting.items()):
            try:
                if job.state.ended:
                    del self.waiting[name]
                    print(self._set(name, job))  # noqa: T201 - a variable has changed
            except BackgroundJobError as error:
                del self.waiting[name]
                print(f"{name} was not set: {error}")  # noqa: T201 - likewise

    def _set(self, name: str, job: Job) -> str:
        if job.state is not JobState.SUCCEEDED:
            return f"{name} was not set: job {job.id} {job.status}{': ' + job.error if job.error else ''}"
        self._shell.user_ns[name] = job.result()
        return f"{name} is the result of job {job.id}"


def remove(shell: InteractiveShell) -> dict[str, Job]:
    """Look no more at the cells of a shell, and return what still waits."""
    waiting: dict[str, Job] = {}
    for event in ("pre_run_cell", "post_run_cell"):
        for callback in list(shell.events.callbacks[event]):
            owner: Any = getattr(callback, "__self__", None)
            if type(owner).__name__ == Into.__name__:  # of this module, or of one that was imported before
                waiting |= owner.waiting
                shell.events.unregister(event, callback)
    return waiting
