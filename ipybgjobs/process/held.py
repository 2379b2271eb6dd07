"""A folder that is held open: what goes into it goes there wherever it is moved, and never into another that takes its place.

It is reached through ``/proc/self/fd``. A platform without that provides `HeldFolder.reach`.
"""

import errno
import os


class HeldFolder:
    """One folder of this user's, for as long as this object lives.

    Parameters
    ----------
    path : str
        The folder, absolute.

    Raises
    ------
    OSError
        If it can't be opened, or is another user's.
    """

    def __init__(self, path: str) -> None:
        self.path = path  #: where it was
        self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        if os.fstat(self._descriptor).st_uid != os.geteuid():
            self.close()
            raise PermissionError(errno.EPERM, "it now belongs to another user", path)

    def reach(self, path: str) -> str:
        """Return a path to the same file by way of this folder, if it is one in it.

        Parameters
        ----------
        path : str
            As it was named when the folder was opened.
        """
        within = path.removeprefix(f"{self.path}/")
        return path if within == path else f"/proc/self/fd/{self._descriptor}/{within}"

    def close(self) -> None:
        """Hold it no longer."""
        os.close(self._descriptor)
