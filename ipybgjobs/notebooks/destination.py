"""Where a notebook's output goes: decided and checked at submit, named when the job runs.

Never the input itself. No file is left here, and no folder is made.
"""

import os
import tempfile

from ..errors import InvalidParameters

_SUFFIX = ".ipynb"


def resolved(output: str | os.PathLike[str] | None, path: str) -> str:
    """Return an absolute output: a file, or a folder with a slash at its end.

    Parameters
    ----------
    output : str or path-like or None
        As given; None: the folder of the input.
    path : str
        The input, absolute and without links.

    Raises
    ------
    InvalidParameters
        If it is neither, is the input, or can't be written.
    """
    given = os.path.dirname(path) + "/" if output is None else os.path.expanduser(os.fspath(output))
    place = os.path.realpath(given)
    if given.endswith(("/", os.sep)) or os.path.isdir(place):
        _check_folder(place, given)
        return os.path.join(place, "")
    if not place.endswith(_SUFFIX):
        raise InvalidParameters(f"output is {given!r}: it ends in {_SUFFIX}, or is a folder: {given}/ where it is not there yet.")
    if place == path or (os.path.exists(place) and os.path.samefile(place, path)):
        raise InvalidParameters(f"output is {given!r}, the notebook itself, which is never overwritten: give another.")
    _check_folder(os.path.dirname(place), given)
    return place


def _check_folder(folder: str, given: str) -> None:
    """See to it that a folder is there and can be written, or could be made."""
    place = folder
    while not os.path.lexists(place):
        place = os.path.dirname(place)
    if not os.path.isdir(place):
        raise InvalidParameters(f"output {given!r} can't be written: {place} is no folder.")
    try:
        tempfile.TemporaryFile(dir=place).close()
    except OSError as error:
        raise InvalidParameters(f"output {given!r} can't be written: {place}: {error.strerror}.") from None


def file(output: str, path: str, job_id: int | None) -> str:
    """Return the output file: in a folder the input's name with the job's number, so that no job overwrites another's."""
    if not output.endswith(os.sep):
        return output
    stem = os.path.basename(path).removesuffix(_SUFFIX)
    return f"{output}{stem}{'.out' if job_id is None else f'-job{job_id}'}{_SUFFIX}"
