"""Remove finished jobs and all their files, by state, age and count; a dry run first reports how many and how large.

Live jobs and those marked by `keep()` are never among them.
"""

import time
from collections.abc import Iterable, Sequence

from msgspec import Struct

from ..errors import InvalidParameters
from ..model import sizes
from ..model.records import JobState
from ..model.redaction import quoted
from ..state import disk_usage
from ..state.folder import StateFolder
from ..store import removals
from ..store.removals import RemovalFilter
from ..system import interrupt_shield
from .client import Client
from .submit import options, times

_ENDED = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)

#: Number of jobs that are removed in one transaction.
_BATCH = 200

_EVERY = 1 << 40


class Cleaning(Struct, frozen=True):
    """The jobs that a clean has removed, or would remove.

    Parameters
    ----------
    jobs : int
        How many jobs.
    bytes : int
        Disk space that their folders take.
    removed : bool
        Whether they were removed.
    """

    jobs: int
    bytes: int
    removed: bool

    def __str__(self) -> str:
        what = f"{self.jobs:,} job{'' if self.jobs == 1 else 's'}, {sizes.show(self.bytes)} on disk"
        return f"removed {what}" if self.removed else f"{what} would be removed"

    def __repr__(self) -> str:
        return f"<{self}>"


def clean(
    client: Client,
    state: str | Sequence[str] | None = None,
    older_than: float | str | None = None,
    keep_jobs: int | None = None,
    *,
    dry_run: bool = True,
) -> Cleaning:
    """Remove finished jobs; see `ipybgjobs.clean`.

    Raises
    ------
    InvalidParameters
        If a state, a duration or a count does not fit.
    """
    if not isinstance(dry_run, bool):
        raise InvalidParameters(f"dry_run must be True or False; got {quoted(dry_run)}.")
    removal_filter = RemovalFilter(
        states=_states(state),
        ended_before=None if older_than is None else time.time() - times.duration(older_than, "older_than"),
        newest=None if keep_jobs is None else options.count(keep_jobs, "keep_jobs"),
    )
    folder = client.folder()
    found = removals.removable(client.database(folder), removal_filter, _EVERY)
    if dry_run:
        return Cleaning(len(found), sum(_sizes(folder, found).values()), removed=False)
    return _removed(client, folder, found, removal_filter)


def _sizes(folder: StateFolder, jobs: Sequence[tuple[int, str]]) -> dict[str, int]:
    """Return the disk space of each job, in bytes; every folder that is opened is closed, even after an interrupt."""
    return interrupt_shield.run(lambda: {uid: disk_usage.of_folder(folder.job(uid)) for _, uid in jobs})


@interrupt_shield.explains_interrupts
def _removed(client: Client, folder: StateFolder, found: Sequence[tuple[int, str]], removal_filter: RemovalFilter) -> Cleaning:
    count = size = 0
    for start in range(0, len(found), _BATCH):
        part = found[start : start + _BATCH]
        taken = _sizes(folder, part)
        gone = client.remove(folder, [job_id for job_id, _ in part], removal_filter)
        count += len(taken.keys() & set(gone))
        size += sum(taken.get(uid, 0) for uid in gone)
    return Cleaning(count, size, removed=True)


def _states(state: str | Sequence[str] | None) -> tuple[str, ...] | None:
    if state is None:
        return None
    states = tuple(state) if isinstance(state, Iterable) and not isinstance(state, str) else (state,)
    for each in states:
        if not isinstance(each, str) or each not in _ENDED:
            raise InvalidParameters(f"state must be one of {', '.join(_ENDED)}; got {quoted(each)}. Live jobs are never removed.")
    return states
