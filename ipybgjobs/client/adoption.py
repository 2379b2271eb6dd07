"""Take over jobs of a place that a user says is gone, though nothing proves it; this place's supervisor continues them.

Jobs that waited there wait here; an attempt that ran there is lost, and retried by its policy. A process that is still
running there after all is not killed: it can't be reached from here.
"""

import getpass
from collections.abc import Sequence

from ..errors import InvalidRequest
from ..model import surface
from ..model.records import JobRecord, Owner
from ..state import occupancy
from ..state.folder import StateFolder
from ..store import places, queries
from ..store.database import Database
from ..system import identity, interrupt_shield, place
from .client import Client
from .jobs import waiting
from .jobs.job import Job
from .jobs.job_list import JobList
from .writer import Writer

#: Longest time that the supervisor may take to answer, in seconds.
_LONGEST = 60.0


@interrupt_shield.explains_interrupts
def adopt(client: Client, jobs: Sequence[Job], now: float) -> JobList:
    """Transfer jobs to this place, and return them once its supervisor has taken them.

    Parameters
    ----------
    client : Client
        The client of this process.
    jobs : sequence of Job
        Jobs that are elsewhere.
    now : float
        Seconds since the epoch.

    Raises
    ------
    InvalidRequest
        If one of them has finished, is already here, or is in a place that appears to be alive; nothing was changed.
    TimeoutError
        If no supervisor answers.
    """
    folder = client.folder()
    database = client.database(folder)
    found = [queries.job(database, job.uid) for job in jobs]
    for record in found:
        reason = _refusal(folder, database, record)
        if reason is not None:
            raise InvalidRequest(reason)
    return _adopted(client, folder, found, now)


@interrupt_shield.explains_interrupts
def adopt_all(client: Client, now: float) -> JobList:
    """Adopt all jobs that are elsewhere, except those whose place appears to be alive; see `adopt`."""
    folder = client.folder()
    database = client.database(folder)
    found = [queries.shown_job(database, each) for each in places.elsewhere(database, place.here())]
    return _adopted(client, folder, [record for record in found if _refusal(folder, database, record) is None], now)


def _adopted(client: Client, folder: StateFolder, found: Sequence[JobRecord], now: float) -> JobList:
    database, ids = client.database(folder), [record.id for record in found]
    owner = Owner(place.here(), identity.host())
    if ids:
        Writer(folder, database).adopt({record.id: _note(record) for record in found}, owner, now)
        late = f"No supervisor answered; {surface.command('doctor')} may say why. The jobs will be adopted as soon as one does."
        waiting.wait(
            lambda: not queries.has_request(database, ids), _LONGEST, lambda: late, lambda: client.ensure_supervisor(folder)
        )
    return JobList(Job(client, folder, record.id, record.uid) for record in found)


def _refusal(folder: StateFolder, database: Database, record: JobRecord) -> str | None:
    """Return why a job can't be adopted; None if it can."""
    if record.id not in places.elsewhere(database, place.here(), record.id):
        was = f"has already finished ({record.state})" if record.state.ended else "is already here"
        return f"job {record.id} {was}; only an unfinished job that is elsewhere can be adopted."
    if interrupt_shield.run(lambda: occupancy.is_alive(folder, record.owner.place)):
        return (
            f"job {record.id} is on {record.owner.host}, where ipybgjobs processes are still running: stop them there "
            "first, or cancel the job there."
        )
    paths = [folder.attempt(each) for each in places.attempts_of(database, record.id)]
    held = interrupt_shield.run(lambda: [path for path in paths if occupancy.is_attempt_held(path)])
    if held:
        return f"job {record.id} is still running on {record.owner.host}: its process holds {held[0]}. Stop it there first."
    return None


def _note(record: JobRecord) -> str:
    return f"adopted by {_user()} on {identity.host()}, who confirmed that nothing of it is still running on {record.owner.host}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no variable names it, and the user has no entry
        return f"user {identity.real_user()}"
