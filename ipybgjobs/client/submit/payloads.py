"""Copies of parameters that are not plain JSON, in their jobs' folders: written before the row, and removed if no row follows.

It never reads one: that is the worker's job.
"""

import os
from collections.abc import Callable, Container, Sequence
from typing import Self

from ...errors import StoreError
from ...state import attempt
from ...state.folder import StateFolder
from ...system import private_file


class Payloads:
    """The files that one submit has written.

    Parameters
    ----------
    folder : StateFolder
        The state folder.
    known : callable
        Takes uids, and returns those that have a row, or may have one: a disk may fail after the commit.
    """

    def __init__(self, folder: StateFolder, known: Callable[[Sequence[str]], Container[str]]) -> None:
        self._folder = folder
        self._known = known
        self._uids: list[str] = []
        self.done = False  #: whether the rows are committed

    def write(self, uid: str, content: bytes | None) -> None:
        """Write the pickled parameters of one job or group, if it has any; on disk when this returns.

        Raises
        ------
        StoreError
            If its folder can't be written to.
        """
        if content is not None:
            self._uids.append(uid)
            _write(self._folder.job(uid), content)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self.done and self._uids:
            known = self._known(self._uids)
            self._folder.remove(uid for uid in self._uids if uid not in known)


def _write(folder: str, content: bytes) -> None:
    try:
        os.mkdir(folder, mode=0o700)
        os.chmod(folder, 0o700)  # whatever the umask
        private_file.write_whole(f"{folder}/{attempt.PARAMETERS}", content, durable=True)
        private_file.sync_folder(os.path.dirname(folder))
    except OSError as error:
        raise StoreError(f"Can't write to {folder}: {error.strerror}. Nothing was submitted.") from error
