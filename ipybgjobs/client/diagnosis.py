"""What `jupyter bgjobs doctor` reports: what is installed, which files are read, and what is wrong; it changes nothing."""

import os
import platform
import sqlite3
import sys
import time
from collections.abc import Callable
from importlib import metadata
from typing import Any

from msgspec import Struct, field

from .._version import __version__
from ..configuration import loading, sources
from ..configuration.settings import Settings
from ..errors import BackgroundJobError, StoreDamaged, StoreError
from ..model import durations, sizes, surface
from ..model.redaction import one_line
from ..state import occupancy, ownership
from ..state.folder import StateFolder
from ..store import journal, listing, lock_holder, places, queries, supervisors
from ..store.database import Database
from ..system import filesystem, identity, interrupt_shield, lifetime, lock, place, tree
from . import disk_totals, rescue
from .jobs import leftover_processes, supervision
from .jobs.job_client import JobClient
from .jobs.view import JobView

_PACKAGES = ("ipython", "ipykernel", "ipywidgets", "traitlets", "nbformat", "jupyter_core", "pydantic", "cloudpickle")


#: Largest number of jobs elsewhere that are named.
_LISTED = 20

#: Seconds within which even an init that checks only at intervals has reaped an exited process; and between two checks.
_REAPED, _LOOK = 8.0, 0.1


class Report(Struct):
    """The doctor's findings: facts in order, and problems."""

    facts: list[tuple[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def fact(self, name: str, value: object) -> None:
        """Add a fact."""
        self.facts.append((name, str(value)))

    def __str__(self) -> str:
        lines = [f"{name:16}{value}" for name, value in self.facts]
        lines += [f"PROBLEM         {problem}" for problem in self.problems]
        return "\n".join([*lines, "" if self.problems else "No problems found."])


def examine(find_client: Callable[[], JobClient]) -> Report:
    """Examine everything; there is a client only where processes can be told apart."""
    report = Report()
    _versions(report)
    try:
        identity.check()
    except StoreError as error:
        report.problems.append(str(error))
        return report
    _unreaped(report)
    client = find_client()
    settings = _configuration(report, client)
    warning = lifetime.warning()
    if warning:
        report.fact("surroundings", warning)
    if settings is not None:
        try:
            _folder(report, StateFolder(loading.state_folder(settings)), settings, client)
        except BackgroundJobError as error:
            report.problems.append(str(error))
    return report


def _folder(report: Report, folder: StateFolder, settings: Settings, client: JobClient) -> None:
    there = _state(report, folder)
    ownership.check(folder.path)
    if there:
        _store(report, folder, client)
        _last_errors(report, folder, settings)
    found = interrupt_shield.run(lambda: rescue.find_salvageable(folder))
    if found.damage is not None:
        report.problems.append(f"The store {folder.database} is damaged: {found.damage.splitlines()[0]}.")
    if found.any:
        report.problems.append(f"Jobs in {folder.path}: {found}. {surface.command('doctor --rescue')} saves them.")


def _versions(report: Report) -> None:
    report.fact("ipybgjobs", f"{__version__} in {os.path.dirname(os.path.dirname(__file__))}")
    report.fact("python", f"{platform.python_version()} ({sys.executable})")
    report.fact("sqlite", sqlite3.sqlite_version)
    for name in _PACKAGES:
        try:
            report.fact(name, metadata.version(name))
        except metadata.PackageNotFoundError:
            report.fact(name, "not installed")


def _unreaped(report: Report) -> None:
    """Report if nothing reaps processes whose parent has exited: then each supervisor that exits stays in the process table."""
    found, limit = tree.unreaped(), time.monotonic() + _REAPED
    while found and time.monotonic() < limit:
        time.sleep(_LOOK)
        found &= tree.unreaped()
    left = len(found)
    if left:
        program = identity.command_line(1).partition(" ")[0]
        subject = "1 process that has ended is" if left == 1 else f"{left} processes that have ended are"
        report.problems.append(
            f"{subject} still in the process table (zombies), because PID 1 ({program}) does not wait "
            "for the processes that it adopts. Each supervisor that ends adds one. Start the container with an init as PID 1: "
            "`docker run --init`, `init: true` in a Compose file, or tini as its entry point."
        )


def _configuration(report: Report, client: JobClient) -> Settings | None:
    try:
        settings = client.settings()
    except BackgroundJobError as error:
        report.problems.append(str(error))
        for source in sources.find_files():
            report.fact("file", f"{source.path} [{source.rank}, {'there' if os.path.exists(source.path) else 'absent'}]")
        return None
    for file in settings.files:
        report.fact("file", f"{file.path} [{file.rank}, {file.status}]")
    report.fact("allowed", ", ".join(settings.targets()) or f"nothing yet: {surface.command('allow module.Class.method')}")
    if settings.locked_by:
        report.fact("locked by", settings.locked_by)
    return settings


def _state(report: Report, folder: StateFolder) -> bool:
    report.fact("state folder", folder.path)
    nearest = folder.path
    while not os.path.exists(nearest):
        nearest = os.path.dirname(nearest)
    report.fact("file system", filesystem.describe(nearest))
    report.fact("free space", f"{filesystem.free_bytes(nearest) / 1e9:.1f} GB")
    if not os.access(nearest, os.W_OK):
        report.problems.append(f"Can't write to {nearest}: choose another state folder (BackgroundJobs.state_dir).")
    if not os.path.exists(folder.database):
        report.fact("store", "none yet; the first submit creates it")
        return False
    if os.stat(folder.path).st_mode & 0o077:
        report.problems.append(f"{folder.path} is open to other users: run chmod 700 {folder.path}")
    return True


def _store(report: Report, folder: StateFolder, client: JobClient) -> None:
    try:
        database = interrupt_shield.run(lambda: Database(folder.database, durable=True))
        report.fact("jobs", ", ".join(f"{count} {state}" for state, count in listing.states(database).items()) or "none")
        _journal(report, database)
        _disk_use(report, folder, database)
        paused = [one_line(queue) for queue in queries.paused(database)]
        if paused:
            resume = surface.command(f"resume{f' {paused[0]}' if len(paused) == 1 else ''}")
            report.fact("paused", f"{', '.join(paused)}: jobs of {_these(paused)} start only after {resume}")
        _supervisors(report, database, folder)
        _elsewhere(report, database, folder)
        _left_running(report, database, folder, client)
    except StoreDamaged:
        pass  # reported together with what can be saved
    except BackgroundJobError as error:
        report.problems.append(str(error))


def _these(queues: list[str]) -> str:
    return "this queue" if len(queues) == 1 else "these queues"


def _left_running(report: Report, database: Database, folder: StateFolder, client: JobClient) -> None:
    """Report the processes that jobs have left running."""
    jobs = {folder.attempt(relative): job_id for job_id, relative in queries.ended_folders(database)}
    for job_id in sorted({jobs[path] for path in leftover_processes.still_there(jobs)}):
        job = JobView(client, folder, job_id, queries.shown_job(database, job_id).uid)
        for each in job.left_running():
            report.fact("left running", f"job {job_id}: {each.line(time.time())}")


def _journal(report: Report, database: Database) -> None:
    report.fact("journal", "a write-ahead log" if database.journal.is_log else "a rollback journal (slower, but safe anywhere)")
    trouble = journal.trouble(database.path, database.journal)
    if trouble is not None:
        report.problems.append(trouble)


def _disk_use(report: Report, folder: StateFolder, database: Database) -> None:
    found = interrupt_shield.run(lambda: disk_totals.measure(folder, database))
    report.fact("disk", f"{found.more}{sizes.show(found.jobs)} of outputs, {sizes.show(found.store)} of store")
    if found.removable:
        what = f"{found.removable:,} finished job{'' if found.removable == 1 else 's'}"
        report.fact("clean", f"would free {found.more}{sizes.show(found.free)} of {what}: {surface.command('clean --yes')}")


def _supervisors(report: Report, database: Database, folder: StateFolder) -> None:
    here = place.here()
    held = interrupt_shield.run(lambda: lock.is_held(folder.supervisor_lock(here)))
    for each in supervisors.read_all(database):
        state = "running" if held and each.place == here else "exited or elsewhere"
        heard = durations.show(max(0.0, time.time() - each.heard_at))
        report.fact("supervisor", f"{state}: pid {each.pid} on {each.host}, version {each.version}, last heard from {heard} ago")
    for limit in interrupt_shield.run(lambda: supervision.withheld(folder)):
        report.fact(
            "withheld", f"{limit}: the running supervisor can't grant more, so jobs submitted by this process get the same"
        )
    if held:
        report.problems += supervision.notices(database, folder).lines()
    elif (writer := lock_holder.persistent_writer(folder.database)) is not None:
        report.problems.append(writer)
    if not held:
        report.fact("supervisor", "none running; one starts when there is work")
        if queries.has_work(database, here):
            report.problems.append(f"Jobs are waiting, but no supervisor is running: any {surface.command('list')} starts one.")


def _elsewhere(report: Report, database: Database, folder: StateFolder) -> None:
    """Report jobs of places that don't appear to be alive."""
    ids = places.elsewhere(database, place.here())
    found = [queries.shown_job(database, job_id) for job_id in ids[:_LISTED]]
    alone = interrupt_shield.run(lambda: [record for record in found if not occupancy.is_alive(folder, record.owner.place)])
    if ids:
        report.fact("elsewhere", f"{len(ids)} unfinished jobs belong to another machine or container")
    for host in dict.fromkeys(record.owner.host for record in alone):
        named = ", ".join(str(record.id) for record in alone if record.owner.host == host)
        report.problems.append(
            f"Nothing appears to be running on {host}, which job {named} belongs to. If that machine or container no longer "
            f"exists, run {surface.command('adopt --all')}: its jobs continue here."
        )


def _last_errors(report: Report, folder: StateFolder, settings: Settings) -> None:
    from ..system.private_file import tail

    _, errors = settings.logs.files(folder.logs)
    for line in tail(errors, 3).splitlines():
        report.fact("last error", _short(line))
    for line in tail(folder.errors, 5).splitlines():
        report.fact("supervisor.err", _short(line))


def _short(line: str) -> Any:
    from ..model.redaction import cut

    return cut(line, 200)
