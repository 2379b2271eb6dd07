"""Which folder belongs to which attempt of a job."""

from collections.abc import Sequence

from ...errors import InvalidParameters
from ...model.records import Attempt
from ...state.folder import StateFolder


def newest(folder: StateFolder, attempts: Sequence[Attempt]) -> str | None:
    """Return the folder of the newest attempt that was launched; None if there is none."""
    folders = [each.folder for each in attempts if each.folder]
    return folder.attempt(folders[-1]) if folders else None


def numbered(folder: StateFolder, job_id: int, attempts: Sequence[Attempt], number: int) -> str | None:
    """Return the folder of one attempt; None if it was not launched.

    Raises
    ------
    InvalidParameters
        If the job has no such attempt.
    """
    known = {each.number: each.folder for each in attempts}
    if type(number) is not int or number not in known:
        raise InvalidParameters(f"There is no attempt {number!r}: {_numbers(job_id, list(known))}.")
    launched = known[number]
    return None if launched is None else folder.attempt(launched)


def _numbers(job_id: int, numbers: list[int]) -> str:
    """Return which attempts a job has, in words."""
    if not numbers:
        return f"job {job_id} has had no attempts yet"
    return f"job {job_id} has " + ("attempt 1 only" if numbers == [1] else f"attempts {numbers[0]} to {numbers[-1]}")
