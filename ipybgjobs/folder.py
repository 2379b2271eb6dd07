"""The state folder: names everything in it, makes it the user's alone (0700; files 0600), and removes folders of jobs.

It opens no file in it. Every process of ours loads it, so it imports next to nothing.
"""

import os
from collections.abc import Iterable

from .errors import StoreError


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

    def presence_lock(self, place: str) -> str:
        """The lock that every process of a place shares while it has the store open."""
        return f"{self.path}/place.{place}.lock"

    def supervisor_lock(self, place: str) -> str:
        """The lock that the supervisor of a place holds for life."""
        return f"{self.path}/supervisor.{place}.lock"

    def next_lock(self, place: str) -> str:
        """The lock of the one process that is about to become supervisor."""
        return f"{self.path}/supervisor.{place}.next.lock"

    def of_place(self, place: str) -> list[str]:
        """All that a place leaves in the folder, apart from its jobs."""
        locks = [self.presence_lock(place), self.supervisor_lock(place), self.next_lock(place)]
        return [*locks, f"{self.path}/wakeup.{place}.sock"]

    def told(self, host: str) -> str:
        """The file that says that a user of the host was told what ends all processes there."""
        return f"{self.path}/surroundings.{host}.txt"

    def seen(self) -> str:
        """The file that says when its user last looked at the jobs."""
        return f"{self.path}/seen.json"

    def job(self, uid: str) -> str:
        """The folder of a job."""
        return f"{self.jobs}/{uid}"

    def attempt(self, relative: str) -> str:
        """The folder of an attempt, from what its row says."""
        return f"{self.path}/{relative}"

    def remove(self, uids: Iterable[str]) -> None:
        """Remove the folders of jobs and groups whose rows are gone, where there are any."""
        import shutil

        for uid in uids:
            shutil.rmtree(self.job(uid), ignore_errors=True)

    def create(self) -> None:
        """Create the folder, and close it to others.

        Raises
        ------
        StoreError
            If it can't be created or written.
        """
        try:
            for path in (self.path, self.jobs, self.logs):
                os.makedirs(path, mode=0o700, exist_ok=True)
            if os.stat(self.path).st_mode & 0o077:
                os.chmod(self.path, 0o700)
        except OSError as error:
            raise StoreError(
                f"The state folder {self.path} can't be used: {error.strerror}. It must be a folder that you can write; "
                "set BackgroundJobs.state_dir or IPYBGJOBS_STATE_DIR to another one."
            ) from error
