"""A folder that is held open: files written to it follow it when it is moved, and never go to a folder that replaces it.

It is reached through ``/proc/self/fd``. A platform without that provides `HeldFolder.reach`.
"""

import errno
import os


class HeldFolder:
    """One folder of this user, for as long as this object lives.

    Parameters
    ----------
    path : str
        The folder, absolute.

    Raises
    ------
    OSError
        If it can't be opened, or belongs to another user.
    """

    def __init__(self, path: str) -> None:
        self.path = path  #: where it was
        self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        if os.fstat(self._descriptor).st_uid != os.geteuid():
            self.close()
            raise PermissionError(errno.EPERM, "it now belongs to another user", path)

    def reach(self, path: str) -> str:
        """Return a path to the same file through this folder, if the file is in it.

        Parameters
        ----------
        path : str
            The path as it was when the folder was opened.
        """
        within = path.removeprefix(f"{self.path}/")
        return path if within == path else f"/proc/self/fd/{self._descriptor}/{within}"

    def close(self) -> None:
        """Release the folder."""
        os.close(self._descriptor)
