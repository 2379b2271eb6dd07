"""Remove the folders of jobs whose rows are deleted: a note written first, so that a crash in between leaves no doubt.

Nothing else distinguishes a folder that was meant to be removed from one whose row a damaged store has lost. It reads no row.
"""

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from typing import Self

from ..errors import StoreError
from ..model import json_text
from ..system import private_file
from .folder import StateFolder

_ENDING = ".removing"


class Removal:
    """One removal of jobs: announced, and its rows deleted, inside its context, then finished; if abandoned, it leaves no note.

    Parameters
    ----------
    folder : StateFolder
        The state folder.
    """

    def __init__(self, folder: StateFolder) -> None:
        self._folder = folder
        self._note = f"{folder.jobs}/{os.urandom(8).hex()}{_ENDING}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:  # the transaction was rolled back
            self._forget()

    def announce(self, uids: Sequence[str]) -> None:
        """Write a note of the folders that are about to lose their rows; it is on disk when this returns.

        Raises
        ------
        StoreError
            If it can't be written; then no row may be deleted.
        """
        if not uids:
            return
        try:
            os.makedirs(self._folder.jobs, mode=0o700, exist_ok=True)
            private_file.write_whole(self._note, json.dumps(list(uids)).encode(), durable=True)
        except OSError as error:
            raise StoreError(f"{self._note} can't be written: {error.strerror}. Nothing was removed.") from error

    def finish(self, uids: Sequence[str]) -> None:
        """Remove the folders, now that the rows are deleted."""
        self._folder.remove(uids)
        self._forget()

    def _forget(self) -> None:
        with contextlib.suppress(OSError):
            os.unlink(self._note)


def announced(folder: StateFolder) -> Iterator[tuple[str, float, list[str]]]:
    """Find removals that were interrupted or are in progress.

    Yields
    ------
    (str, float, list of str)
        The note, when it was written (seconds since the epoch), and the uids whose folders were to be removed.
    """
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(folder.jobs):
            note = f"{folder.jobs}/{name}"
            if name.endswith(_ENDING):
                with contextlib.suppress(OSError, ValueError):
                    yield note, os.stat(note).st_mtime, _uids(note)


def is_cut_short(entry: os.DirEntry[str], before: float) -> bool:
    """Return whether a file is an incomplete note left by a crash, and not new: no rows were deleted for it."""
    try:
        named = f"{_ENDING}." in entry.name and entry.name.endswith(".part")
        return named and entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_mtime < before
    except OSError:
        return False


def _uids(note: str) -> list[str]:
    with open(note, "rb") as file:
        said = json_text.parse(file.read())
    return [uid for uid in said if isinstance(uid, str)] if isinstance(said, list) else []
