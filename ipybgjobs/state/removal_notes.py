"""Removing the folders of jobs whose rows go: said in a note before the rows are gone, so that a crash between leaves no doubt.

Nothing else tells a folder that somebody wanted gone from one whose row a damaged store has lost. It reads no row.
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
    """One removal of jobs: announced, and its rows deleted, in its context, then finished; given up there, it leaves no note.

    Parameters
    ----------
    folder : StateFolder
        Where they are.
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
        """Write whose folders may be about to belong to nobody; on disk when this returns.

        Raises
        ------
        StoreError
            If it can't be written; then no row may go.
        """
        if not uids:
            return
        try:
            os.makedirs(self._folder.jobs, mode=0o700, exist_ok=True)
            private_file.write_whole(self._note, json.dumps(list(uids)).encode(), durable=True)
        except OSError as error:
            raise StoreError(f"{self._note} can't be written: {error.strerror}. Nothing was removed.") from error

    def finish(self, uids: Sequence[str]) -> None:
        """Remove the folders, now that the rows are gone."""
        self._folder.remove(uids)
        self._forget()

    def _forget(self) -> None:
        with contextlib.suppress(OSError):
            os.unlink(self._note)


def announced(folder: StateFolder) -> Iterator[tuple[str, float, list[str]]]:
    """Find removals that were cut short, or are under way.

    Yields
    ------
    (str, float, list of str)
        The note, when it was written in seconds since the epoch, and whose folders were to go.
    """
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(folder.jobs):
            note = f"{folder.jobs}/{name}"
            if name.endswith(_ENDING):
                with contextlib.suppress(OSError, ValueError):
                    yield note, os.stat(note).st_mtime, _uids(note)


def is_cut_short(entry: os.DirEntry[str], before: float) -> bool:
    """Whether a file is a note whose writing a crash has cut short, and older than a moment: no row has gone for it."""
    try:
        named = f"{_ENDING}." in entry.name and entry.name.endswith(".part")
        return named and entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_mtime < before
    except OSError:
        return False


def _uids(note: str) -> list[str]:
    with open(note, "rb") as file:
        said = json_text.parse(file.read())
    return [uid for uid in said if isinstance(uid, str)] if isinstance(said, list) else []
