"""Find, and on request save, what can be saved of a damaged store and of job folders without a row.

It never deletes anything: a damaged store is moved aside, whole. A job that has lost its row is read from its folder.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from ..errors import StoreDamaged, StoreError
from ..executors.exit import recorded
from ..model import redaction, serialization, surface
from ..model.call import Call
from ..model.records import Outcome, Owner
from ..state import attempt, removal_notes, unclaimed
from ..state import request as requests
from ..state.folder import StateFolder
from ..store import queries, restoring, salvage, submissions
from ..store.database import Database
from ..store.restoring import KnownAttempt, KnownJob
from ..store.salvage import Salvaged
from ..store.submissions import SubmitContext
from ..supervisor.verdict import judge
from ..system import identity, lock, place, private_file, worker
from ..system.lock import FileLock

#: Suffixes of the files that belong to a database.
_FILES = ("", "-wal", "-shm")


class Salvageable(Struct, frozen=True):
    """What can be saved.

    Parameters
    ----------
    damage : str or None
        What is damaged; None if the store is sound, or there is none.
    salvaged : Salvaged
        What can be read of a damaged store.
    folders : list of str
        Uids of jobs without a row whose folders contain attempts.
    """

    damage: str | None = None
    salvaged: Salvaged = field(default_factory=Salvaged)
    folders: list[str] = field(default_factory=list)

    @property
    def any(self) -> bool:
        """Whether there is anything to save."""
        return self.damage is not None or bool(self.folders)

    def saved(self) -> str:
        """Describe what was saved."""
        parts = [f"{_jobs(len(self.salvaged.rows.get('jobs', ())))} of the damaged store"] if self.damage is not None else []
        return " and ".join([*parts, f"{_jobs(len(self.folders))} known only from their folders"])

    def __str__(self) -> str:
        jobs, unreadable = len(self.salvaged.rows.get("jobs", ())), self.salvaged.unreadable
        read = f"{_jobs(jobs)} can be read" + (f", up to {unreadable} can't" if unreadable else "")
        verb = "has" if len(self.folders) == 1 else "have"
        kept = f"{_jobs(len(self.folders))} {verb} no row, and can be restored from their folders"
        parts = ([read] if self.damage is not None else []) + ([kept] if self.folders else [])
        return "; ".join(parts)


def _jobs(count: int) -> str:
    return f"{count} job{'' if count == 1 else 's'}"


def find_salvageable(folder: StateFolder) -> Salvageable:
    """Find what can be saved; changes nothing.

    Raises
    ------
    StoreError
        If the folder can't be read.
    """
    damage, salvaged, known = None, Salvaged(), set[str]()
    uids = unclaimed.uids(folder)
    if os.path.exists(folder.database) and os.path.getsize(folder.database):
        try:
            known = _known(folder, uids)
        except StoreDamaged as error:
            damage, salvaged = str(error.__cause__ or error), _read(folder)
            known = salvaged.uids()
    known.update(uid for _, _, going in removal_notes.announced(folder) for uid in going)  # those were meant to be removed
    return Salvageable(damage, salvaged, [uid for uid in uids if uid not in known])


def _known(folder: StateFolder, uids: list[str]) -> set[str]:
    """Return which uids a sound store has.

    Raises
    ------
    StoreDamaged
        If it is not sound.
    """
    with contextlib.closing(Database(folder.database, durable=True)) as database:
        found = salvage.damage(database)
        if found is not None:
            raise StoreDamaged(found)
        return queries.known(database, uids)


def _read(folder: StateFolder) -> Salvaged:
    """Read a copy of a damaged store: SQLite would change the original."""
    apart = tempfile.mkdtemp(prefix="rescue.", dir=folder.path)
    try:
        for ending in ("", "-wal"):
            if os.path.exists(f"{folder.database}{ending}"):
                _copy(f"{folder.database}{ending}", f"{apart}/jobs.db{ending}")
        return salvage.read(f"{apart}/jobs.db")
    finally:
        shutil.rmtree(apart, ignore_errors=True)


def _copy(path: str, copy: str) -> None:
    """Copy a file in another process: closing it in this one would drop the locks that SQLite holds on it here."""
    code = "import shutil, sys; shutil.copyfile(*sys.argv[1:])"
    done = subprocess.run([sys.executable, "-ISc", code, path, copy], capture_output=True, text=True, check=False)
    if done.returncode:
        why = done.stderr.strip().rpartition("\n")[2]
        raise StoreError(f"{path} can't be copied for reading: {why}. Nothing was changed.")


def rescue(folder: StateFolder, submit_context: SubmitContext) -> tuple[Salvageable, str | None]:
    """Save what can be saved: a damaged store is moved aside, and replaced by a sound one.

    Parameters
    ----------
    folder : StateFolder
        The state folder.
    submit_context : SubmitContext
        That of this process; it replaces unreadable ones that jobs no longer need.

    Returns
    -------
    (Salvageable, str or None)
        What was saved, and where the damaged store is now.

    Raises
    ------
    StoreError
        If a supervisor or a job of the folder is running, or the disk can't be written to.
    """
    with _without_supervisors(folder):
        found = find_salvageable(folder)
        jobs = [job for job in (_readable_job(folder, uid) for uid in found.folders) if job is not None]
        found = replace(found, folders=[job.uid for job in jobs])
        if found.damage is None:
            with contextlib.closing(Database(folder.database, durable=True, supervising=True)) as database:
                _write(database, Salvaged(), jobs, submit_context)
            return found, None
        fresh = f"{folder.path}/rescued.db"
        _discard(fresh)  # from an interrupted rescue
        with contextlib.closing(Database(fresh, durable=True, supervising=True)) as database:
            _write(database, found.salvaged, jobs, submit_context)
            database.checkpoint()
        return found, _exchange(folder, fresh)


@contextlib.contextmanager
def _without_supervisors(folder: StateFolder) -> Iterator[None]:
    """Keep supervisors away from the folder: refuse if one is running, here or visibly elsewhere, or of an older version."""
    own = folder.supervisor_lock(place.here())
    held = FileLock.acquire(own, wait=False)
    try:
        others = [path for path in folder.supervisor_locks() if path not in (own, folder.next_lock(place.here()))]
        if held is None or any(lock.is_held(path) for path in others):
            raise StoreError(
                f"A supervisor is working on {folder.path}: wait until {surface.command('doctor')} no longer "
                "shows it as running, then rescue."
            )
        yield
    finally:
        if held is not None:
            held.close()


def _write(database: Database, salvaged: Salvaged, jobs: list[KnownJob], submit_context: SubmitContext) -> None:
    owner = Owner(place.here(), identity.host())
    with database.transaction() as connection:
        if salvaged.rows:
            restoring.write(connection, salvaged)
        context = submissions.context_id(connection, submit_context) if salvaged.rows or jobs else 0
        if salvaged.rows:
            restoring.close_unrunnable(connection, context, time.time())
        for job in jobs:
            restoring.register(connection, job, owner, context)


def _exchange(folder: StateFolder, fresh: str) -> str:
    """Move the damaged store aside and the new one into its place; return the new path of the damaged one."""
    aside = f"{folder.database}.damaged-{time.strftime('%Y%m%d-%H%M%S')}"
    try:
        for ending in reversed(_FILES):  # its log first: it must never be taken for the new store's
            with contextlib.suppress(FileNotFoundError):
                os.rename(f"{folder.database}{ending}", f"{aside}{ending}")
        os.rename(fresh, folder.database)
    except OSError as error:
        raise StoreError(f"{folder.database} can't be moved aside: {error.strerror}. What was saved is in {fresh}.") from error
    return aside


def _discard(fresh: str) -> None:
    for ending in _FILES:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{fresh}{ending}")


# -- reading a job from its folder ----------------------------------------------------------------------------------------


def _readable_job(folder: StateFolder, uid: str) -> KnownJob | None:
    """Read a job from its folder; None if it says too little, or something that ipybgjobs never wrote: jobs can write there."""
    try:
        return _known_job(folder, uid)
    except (TypeError, ValueError, AttributeError, KeyError, OSError):
        return None


def _known_job(folder: StateFolder, uid: str) -> KnownJob | None:
    """Read a job from its folder; None if its requests can't be read.

    Raises
    ------
    StoreError
        If it is running.
    """
    paths = unclaimed.attempts(folder, uid)
    kept = [requests.kept(folder.attempt(path)) or {} for path in paths.values()]
    request = next((each for each in reversed(kept) if "key" in each), None)
    if request is None:
        return None
    if any(worker.is_held_alive(f"{folder.attempt(path)}/{attempt.STARTED}") for path in paths.values()):
        raise StoreError(f"The job in {folder.job(uid)} is running: wait for it to finish, then rescue. Nothing was changed.")
    call = _call(request, folder, uid)
    job = request.get("job", {})
    attempts = tuple(_known_attempt(folder, number, path, call) for number, path in paths.items() if number)
    positional = tuple(name for name in request.get("positional", ()) if isinstance(name, str))
    return KnownJob(job.get("id"), uid, job.get("name"), call, positional, attempts) if attempts else None


def _call(request: dict[str, Any], folder: StateFolder, uid: str) -> Call:
    """Return what was called. Only the row knew which names were secret, so those that are secret by default are used."""
    key, method = str(request["key"]), request.get("method")
    init, params = request.get("init", {}), request.get("params", {})
    secrets = redaction.secret_names({**init, **params}, redaction.SECRET_NAMES)
    hidden = tuple(redaction.secrets_in([init, params], secrets))
    pickled = (
        {serialization.key(serialization.PARAMS, "…"): "parameters that are not plain"}
        if os.path.exists(f"{folder.job(uid)}/{attempt.PARAMETERS}")
        else {}
    )
    return Call(f"{key}.{method}" if method else key, init, params, pickled, secrets, hidden)


def _known_attempt(folder: StateFolder, number: int, relative: str, call: Call) -> KnownAttempt:
    path = folder.attempt(relative)
    reason = (private_file.read_json(path, attempt.ENDING) or {}).get("reason")
    ending = Outcome(reason) if isinstance(reason, str) and reason in set(Outcome) else None
    verdict, _ = judge(recorded(path), ending, lambda: call.hidden)
    started = (private_file.read_json(path, attempt.STARTED) or {}).get("started_at")
    ended = (private_file.read_json(path, attempt.OUTCOME) or {}).get("ended_at")
    changed = os.stat(path).st_mtime
    return KnownAttempt(
        number,
        relative,
        float(started if isinstance(started, float) else changed),
        float(ended if isinstance(ended, float) else changed),
        verdict.outcome,
        verdict.error,
        verdict.traceback,
    )
