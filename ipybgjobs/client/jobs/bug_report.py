"""A job as a zip file for a bug report: secrets blanked, without environment variables and pickled values, and written whole."""

import codecs
import json
import os
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from typing import IO, Any

from msgspec import Struct
from msgspec.structs import asdict

from ...errors import InvalidRequest, StoreError
from ...model import redaction, sizes
from ...model.records import Attempt
from ...state.text_log import TextLog
from ...store import queries
from ...system import interrupt_shield, private_file
from . import as_json
from .view import JobView

#: Bytes of a log that are read at once, and of the zip file that are written at once.
_PIECE = 1 << 20

#: Characters that are kept for the next piece of a log, so that a secret that begins in them is found as a whole; and how many
#: times as long as itself a secret may be in a quoted form.
_OVERLAP, _LONGEST_FORM = 1 << 16, 6

_README = """A bug report on a job of ipybgjobs.

job.json      the job: call, state, attempts with their tracebacks, source file and versions
context.json  where it was submitted: interpreter, folder, import path
doctor.txt    what `jupyter bgjobs doctor` reports: versions, configuration files, state folder, last errors of any job
attempts/N/   log.txt: what attempt N printed; outputs.json: what it displayed

Parameters that are marked as secret are blanked wherever they appear. Environment variables, pickled parameters and pickled
results are not included. The job may have printed other confidential things: look through the files before you send them.
"""


class BugReport(Struct, frozen=True):
    """A bug report that was written.

    Parameters
    ----------
    path : str
        The absolute path of the zip file.
    files : tuple of str
        The files in it.
    size : int
        Its size in bytes.
    """

    path: str
    files: tuple[str, ...]
    size: int

    def __str__(self) -> str:
        return (
            f"{self.path} was written ({sizes.show(self.size)}): {', '.join(self.files)}. Secret parameters are blanked, and "
            "environment variables are not included; look through it before you send it."
        )


def write(job: JobView, path: str | os.PathLike[str] | None, *, force: bool) -> BugReport:
    """Write a bug report; see `Job.export`.

    Raises
    ------
    InvalidRequest
        If the file exists, and `force` is false.
    StoreError
        If the file can't be written.
    """
    target = os.path.abspath(f"job-{job.id}.zip" if path is None else os.fspath(path))
    if os.path.lexists(target) and not force:
        raise InvalidRequest(f"{target} exists already: name another file, or replace it with --force (in Python: force=True).")
    try:
        with tempfile.TemporaryFile() as made:
            files = _fill(job, made)
            size = made.tell()
            made.seek(0)
            interrupt_shield.run(lambda: _save(target, made), lambda _: f"{target} was written")
    except OSError as error:
        raise StoreError(f"Can't write {target}: {error.strerror}.") from error
    return BugReport(target, files, size)


def _save(target: str, made: IO[bytes]) -> None:
    interrupt_shield.commit_point()
    private_file.write_whole(target, iter(lambda: made.read(_PIECE), b""))


def _fill(job: JobView, file: IO[bytes]) -> tuple[str, ...]:
    """Write the zip file's content, and return the names in it."""
    secrets = queries.job(job.client.database(job.state_folder), job.uid).call.hidden
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", _README)
        archive.writestr("job.json", _json(_described(job), secrets))
        archive.writestr("context.json", _json(_context(job), secrets))
        archive.writestr("doctor.txt", redaction.without(job.client.diagnosis(), secrets))
        for attempt in job.attempts:
            if attempt.folder is not None:
                _add_attempt(archive, job, attempt, secrets)
        return tuple(archive.namelist())


def _described(job: JobView) -> dict[str, Any]:
    """Return the job with its parameters, and the versions that each attempt ran with."""
    record, database = job.record(), job.client.database(job.state_folder)
    found = {each.number: queries.origin(database, each.origin_id) for each in job.attempts}
    versions = {number: asdict(origin) for number, origin in found.items() if origin is not None}
    return as_json.as_json(job) | {"init": record.call.shown("init"), "params": record.call.shown("params"), "versions": versions}


def _context(job: JobView) -> dict[str, Any]:
    context = queries.submit_context(job.client.database(job.state_folder), job.id)
    return {} if context is None else asdict(context)


def _json(value: Any, secrets: Iterable[str]) -> str:
    return json.dumps(redaction.cleaned(json.loads(json.dumps(value, default=repr)), secrets), indent=2)


def _add_attempt(archive: zipfile.ZipFile, job: JobView, attempt: Attempt, secrets: tuple[str, ...]) -> None:
    folder = f"attempts/{attempt.number}"
    with archive.open(f"{folder}/log.txt", "w", force_zip64=True) as log:
        for text in without_secrets(_log(job.state_folder.attempt(attempt.folder or "")), secrets):
            log.write(text.encode("utf-8", "backslashreplace"))
    archive.writestr(f"{folder}/outputs.json", json.dumps(job.plain_outputs(attempt.number), indent=2))


def _log(folder: str) -> Iterator[str]:
    """Yield an attempt's log in pieces."""
    log, position = TextLog(folder), 0
    end = log.size
    decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    while position < end:
        content, position = log.piece(position, min(_PIECE, end - position))
        yield decoder.decode(content)
    yield decoder.decode(b"", final=True)


def without_secrets(pieces: Iterable[str], secrets: tuple[str, ...]) -> Iterator[str]:
    """Yield a text in pieces with its secrets removed, also those that lie across two pieces."""
    overlap = _OVERLAP + _LONGEST_FORM * max(map(len, secrets), default=0)
    rest = ""
    for piece in pieces:
        text = redaction.without(rest + piece, secrets)
        rest = text[-overlap:]
        yield text[:-overlap]
    yield rest
