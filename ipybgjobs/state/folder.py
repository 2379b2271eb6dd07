"""The state folder: names everything in it, makes it private (0700; files 0600), and removes the folders of jobs.

It never opens a file in it. Every ipybgjobs process loads it, so it imports next to nothing.
"""

import contextlib
import os
import stat
from collections.abc import Iterable

from ..errors import StoreError
from . import ownership

#: Modes of what is created here, and of missing folders above it; the umask restricts the second.
_PRIVATE, _ABOVE = 0o700, 0o755


class StateFolder:
    """Paths in one state folder.

    Parameters
    ----------
    path : str
        The folder, absolute.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.database = f"{path}/jobs.db"
        self.jobs = f"{path}/jobs"
        self.logs = f"{path}/logs"
        self.errors = f"{path}/supervisor.err"

    def occupancy_lock(self, place: str) -> str:
        """The lock that every process of a place shares while it has the store open."""
        return f"{self.path}/place.{place}.lock"

    def supervisor_lock(self, place: str) -> str:
        """The lock that the supervisor of a place holds for life."""
        return f"{self.path}/supervisor.{place}.lock"

    def next_lock(self, place: str) -> str:
        """The lock of the one process that is about to become supervisor."""
        return f"{self.path}/supervisor.{place}.next.lock"

    def supervisor_locks(self) -> list[str]:
        """The locks of all present and future supervisors, of any place; an older version named them by host."""
        with os.scandir(self.path) as entries:
            return [each.path for each in entries if each.name.startswith("supervisor.") and each.name.endswith(".lock")]

    def of_place(self, place: str) -> list[str]:
        """All files that a place leaves in the folder, except its jobs."""
        locks = [self.occupancy_lock(place), self.supervisor_lock(place), self.next_lock(place)]
        return [*locks, f"{self.path}/wakeup.{place}.sock"]

    def warned_file(self, host: str) -> str:
        """The file that marks that the user was told what ends all processes on a host."""
        return f"{self.path}/surroundings.{host}.txt"

    def last_look_file(self) -> str:
        """The file that records when the user last looked at the jobs."""
        return f"{self.path}/seen.json"

    def damage_file(self) -> str:
        """The file that records the damage that a supervisor has found, and in which database."""
        return f"{self.path}/damage.json"

    def job(self, uid: str) -> str:
        """The folder of a job."""
        return f"{self.jobs}/{uid}"

    def attempt(self, relative: str) -> str:
        """The folder of an attempt, from the path in its row."""
        return f"{self.path}/{relative}"

    def remove(self, uids: Iterable[str]) -> None:
        """Remove the folders of jobs and groups, if they exist; a name that is not a uid is skipped."""
        for uid in uids:
            if uid.isalnum():  # anyone may have written a row: never remove the folder of all jobs, or one above it
                remove_tree(self.job(uid))

    def create(self) -> None:
        """Create the folder, and close it to others; another user's folder is refused, and nothing is left in it.

        Raises
        ------
        StoreError
            If it can't be created or written to, or if it is refused (see `ownership`).
        """
        ownership.check(self.path)
        made: list[str] = []
        try:
            for path in (self.path, self.jobs, self.logs):
                _make(path, made)
            if stat.S_IMODE(os.stat(self.path).st_mode) & 0o777 != _PRIVATE:
                os.chmod(self.path, _PRIVATE)
            ownership.check(self.path, made=True)
        except (OSError, StoreError) as error:
            for path in reversed(made):
                with contextlib.suppress(OSError):
                    os.rmdir(path)
            if isinstance(error, StoreError):
                raise
            raise StoreError(
                f"The state folder {self.path} can't be used: {error.strerror}. It must be a folder that you can write to; "
                "set BackgroundJobs.state_dir or IPYBGJOBS_STATE_DIR to another one."
            ) from error


def make_attempt_folder(path: str) -> None:
    """Create the folder of an attempt, and that of its job, unless they exist.

    Raises
    ------
    OSError
        If it can't be created.
    """
    above = os.path.dirname(path)
    if not os.path.isdir(above):
        with contextlib.suppress(FileExistsError, FileNotFoundError):
            os.mkdir(above, _PRIVATE)
    try:
        os.mkdir(path, _PRIVATE)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
    except FileNotFoundError:  # the folder of all jobs has been removed
        os.makedirs(path, _PRIVATE, exist_ok=True)


def remove_tree(path: str) -> None:
    """Remove a folder and everything in it; what can't be removed stays."""
    import shutil  # here, since it loads all compressions

    shutil.rmtree(path, ignore_errors=True)


def _make(path: str, made: list[str], mode: int = _PRIVATE) -> None:
    """Create a folder and those above it, whatever the umask: usable by their owner, and writable by no one else."""
    if os.path.isdir(path):
        return
    if not os.path.lexists(os.path.dirname(path)):
        _make(os.path.dirname(path), made, _ABOVE)
    try:
        os.mkdir(path, mode)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
        return  # another process was faster
    made.append(path)
    mode = stat.S_IMODE(os.stat(path).st_mode)
    if mode & _PRIVATE != _PRIVATE:
        os.chmod(path, mode | _PRIVATE)
