"""The values that an attempt has recorded, read from its folder; anyone may have written the file."""

from ..model import scalars
from ..model.scalars import Scalar
from ..system import private_file
from . import attempt

#: Longest file that is read, in bytes: more than a job writes.
_LONGEST = 2 << 20


def of_attempt(folder: str) -> dict[str, Scalar]:
    """Read the values of an attempt; none if it has recorded none."""
    return scalars.read(private_file.read_json(folder, attempt.VALUES, _LONGEST))
