"""What jobs, groups and lists need from the client: the store, and the changes that a user may request."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, Unpack

from ...configuration.settings import Settings
from ...state.folder import StateFolder
from ...store.database import Database
from ...targets.callables import Called
from ..submit.option_table import SubmitOptions


class JobClient(Protocol):
    """The client, as its jobs see it; each change is one request for all the jobs that it names."""

    def database(self, folder: StateFolder) -> Database:
        """Open the store."""

    def settings(self) -> Settings:
        """Return the settings of the configuration files."""

    def group(self, key: int | str) -> Any:
        """Return a group."""

    def ensure_supervisor(self, folder: StateFolder) -> None:
        """Make sure that a supervisor runs."""

    def cancel(self, folder: StateFolder, job_ids: Sequence[int], grace: float | None) -> None:
        """Ask the supervisors to cancel jobs."""

    def cancel_group(self, folder: StateFolder, group_id: int, grace: float | None) -> None:
        """Ask the supervisors to cancel the unfinished jobs of a group."""

    def retry(self, folder: StateFolder, job_ids: Sequence[int]) -> None:
        """Ask for another attempt."""

    def set_priority(self, folder: StateFolder, job_ids: Sequence[int], priority: int) -> list[int]:
        """Change the priority of queued jobs; return the ids of those that were queued."""

    def keep(self, folder: StateFolder, job_ids: Sequence[int], *, kept: bool) -> list[int]:
        """Exempt jobs from clean and retention; return the ids of those that exist."""

    def remove(self, folder: StateFolder, job_ids: Sequence[int]) -> list[str]:
        """Remove finished jobs; return the uids of those removed."""

    def diagnosis(self) -> str:
        """Return what `jupyter bgjobs doctor` reports."""

    def submit(
        self,
        target: Called,
        params: Mapping[str, Any],
        *,
        init: Mapping[str, Any],
        retried_from: int,
        code: Mapping[str, bytes],
        **given: Unpack[SubmitOptions],
    ) -> Any:
        """Submit another job, and return it."""

    def prepare_here(self, target: Called, params: Mapping[str, Any], *, init: Mapping[str, Any]) -> Callable[[], Any]:
        """Return a function that runs a call in this process."""

    def call_when_ended(self, folder: StateFolder, job_id: int, function: Callable[[], object]) -> None:
        """Call a function when a job has finished."""
