"""Protocols for what jobs and groups need from the client: the store, and the changes that a person may ask for."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, Unpack

from ...state.folder import StateFolder
from ..submit.option_table import SubmitOptions
from .view import Reader


class Desk(Reader, Protocol):
    """What a job needs from the client."""

    def cancel(self, folder: StateFolder, job_ids: Sequence[int], grace: float | None) -> None:
        """Ask the supervisors to cancel jobs."""

    def retry(self, folder: StateFolder, job_ids: Sequence[int]) -> None:
        """Ask for another attempt."""

    def submit(
        self,
        target: str,
        params: Mapping[str, Any],
        *,
        init: Mapping[str, Any],
        retried_from: int,
        code: Mapping[str, bytes],
        **given: Unpack[SubmitOptions],
    ) -> Any:
        """Submit another job, and return it."""

    def prepare_here(self, target: str, params: Mapping[str, Any], *, init: Mapping[str, Any]) -> Callable[[], Any]:
        """Return a function that runs a call in this process."""

    def set_priority(self, folder: StateFolder, job_id: int, priority: int) -> bool:
        """Give a queued job another priority."""

    def keep(self, folder: StateFolder, job_id: int, *, kept: bool) -> None:
        """Exempt a job from clean and retention."""

    def remove(self, folder: StateFolder, job_ids: Sequence[int]) -> list[str]:
        """Remove jobs that have ended."""

    def call_when_ended(self, folder: StateFolder, job_id: int, function: Callable[[], object]) -> None:
        """Call a function when a job has ended."""


class GroupDesk(Desk, Protocol):
    """What a group needs from the client in addition."""

    def cancel_group(self, folder: StateFolder, group_id: int, grace: float | None) -> None:
        """Ask the supervisors to cancel the unfinished jobs of a group."""
