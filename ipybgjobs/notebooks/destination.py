"""Choose where a notebook's output goes: decided and checked at submit, named when the job runs.

It is never the input itself, nor a notebook that was not written by a job. No file or folder is created here.
"""

import itertools
import os
import tempfile

from ..errors import InvalidParameters
from . import document

_SUFFIX = ".ipynb"


def resolved(output: str | os.PathLike[str] | None, path: str) -> str:
    """Return an absolute output: a file, or a folder with a slash at its end.

    Parameters
    ----------
    output : str or path-like or None
        As passed; None: the folder of the input.
    path : str
        The input, absolute and with links resolved.

    Raises
    ------
    InvalidParameters
        If it is neither, is the input or another notebook that is not an output, or can't be written.
    """
    given = os.path.dirname(path) + "/" if output is None else os.path.expanduser(os.fspath(output))
    place = os.path.realpath(given)
    if given.endswith(("/", os.sep)) or os.path.isdir(place):
        _check_folder(place, given)
        return os.path.join(place, "")
    if not place.endswith(_SUFFIX):
        raise InvalidParameters(
            f"output must end in {_SUFFIX} or be a folder ({given}/ if it does not exist yet); got {given!r}."
        )
    if place == path or (os.path.exists(place) and os.path.samefile(place, path)):
        raise InvalidParameters(f"output is {given!r}, the notebook itself, which is never overwritten: choose another path.")
    _check_folder(os.path.dirname(place), given)
    _check_output(place, given)
    return place


def _check_folder(folder: str, given: str) -> None:
    """Check that a folder exists and is writable, or could be created."""
    place = folder
    while not os.path.lexists(place):
        place = os.path.dirname(place)
    if not os.path.isdir(place):
        raise InvalidParameters(f"output {given!r} can't be written: {place} is not a folder.")
    try:
        tempfile.TemporaryFile(dir=place).close()
    except OSError as error:
        raise InvalidParameters(f"output {given!r} can't be written: {place}: {error.strerror}.") from None


def _check_output(place: str, given: str) -> None:
    """Check that an existing file is the output of a job."""
    if os.path.exists(place) and document.author(place) is None:
        raise InvalidParameters(
            f"output {given!r} already exists and was not written by a job: choose another path or delete it."
        )


def file(output: str, path: str, job_id: int | None, job_uid: str | None) -> str:
    """Return the output file: in a folder, the input's name with the job's number, so that no job overwrites another's output.

    Parameters
    ----------
    output : str
        As `resolved` returns it.
    path : str
        The input.
    job_id, job_uid : int and str, or None
        The job; None if it runs outside a job.

    Raises
    ------
    InvalidParameters
        If a file that is not an output has appeared there.
    """
    if not output.endswith(os.sep):
        _check_output(output, output)
        return output
    stem = os.path.basename(path).removesuffix(_SUFFIX) + (".out" if job_id is None else f"-job{job_id}")
    names = itertools.chain(
        [stem], (f"{stem}-{number}" for number in itertools.count(2))
    )  # another user may have a job of the same number
    places = (f"{output}{name}{_SUFFIX}" for name in names)
    return next(place for place in places if not os.path.exists(place) or document.author(place) == (job_uid or ""))
