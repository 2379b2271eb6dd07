"""Notes that a client shows its user besides the result of a call: each once, while it applies.

It never changes a job, and a note that can't be shown never stops a call.
"""

import contextlib
import os
from collections.abc import Callable

from ..model import surface
from ..state import damage, unclaimed
from ..state.folder import StateFolder
from ..store import queries
from ..store.database import Database
from ..system import identity, interrupt_shield, lifetime, private_file


class Notes:
    """The notes of one client.

    Parameters
    ----------
    show : callable
        Shows the user a line.
    """

    def __init__(self, show: Callable[[str], None]) -> None:
        self.show = show
        self._damage: str | None = None  # what a supervisor found, if it was already reported

    def add(self, note: str | None) -> None:
        """Show a note, if there is one."""
        if note:
            self.show(f"Note: {note}")

    def report_unclaimed_folders(self, folder: StateFolder, database: Database) -> None:
        """Tell the user if a store that has never had a job is beside the folders of jobs."""
        count = 0 if queries.has_had_jobs(database) else unclaimed.count(folder)
        if count:
            what = f"{count} job folder{'' if count == 1 else 's'} in {folder.jobs} belong{'s' if count == 1 else ''}"
            self.add(
                f"{what} to a store that no longer exists; nothing in them is changed, "
                f"and {surface.command('doctor')} shows what can be saved."
            )

    def report_damage(self, folder: StateFolder) -> None:
        """Tell the user once what a supervisor has found damaged."""
        found = damage.read(folder)
        if found is not None and self._damage != found:
            self.add(found)
        self._damage = found

    def warn_of_lifetime_limit(self, folder: StateFolder) -> None:
        """Tell the user once, for a state folder on a host, what ends all processes here."""
        marker = folder.warned_file(identity.host())
        if os.path.exists(marker):
            return
        note = lifetime.note()
        self.add(note)
        with contextlib.suppress(OSError):  # a full disk: the job is stored, and the note is repeated
            interrupt_shield.run(lambda: private_file.write_whole(marker, (note or "").encode()))
