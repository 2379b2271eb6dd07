"""A file system in user space that shows a folder, and leaves out what some file systems lack: locks, or hard links.

``python passthrough.py SOURCE MOUNTPOINT KIND [--locks ERRNO]`` serves until it is unmounted. KIND is what
``/proc/self/mountinfo`` says after ``fuse.``; an error's name, such as ENOSYS, is what each lock answers; likewise --record_locks
(those of a part of a file), --links and --sockets.
"""

import argparse
import errno
import os
import stat

from mfusepy import FUSE, FuseOSError, Operations

#: What it can lack, by option: operations.
_LACKS = {"locks": ("lock", "flock"), "record_locks": ("lock",), "links": ("link",), "sockets": ("mknod",)}


class Folder(Operations):
    """Passes everything on to a folder, by path."""

    use_ns = True

    def __init__(self, source: str) -> None:
        self._source = source

    def _at(self, path: str) -> str:
        return self._source + path

    def getattr(self, path, fh=None):
        found = os.lstat(self._at(path))
        names = ("st_mode", "st_nlink", "st_size", "st_uid", "st_gid", "st_blocks", "st_ino", "st_rdev")
        times = {f"st_{name}": getattr(found, f"st_{name}_ns") for name in ("atime", "mtime", "ctime")}
        return {name: getattr(found, name) for name in names} | times

    def readdir(self, path, fh):
        return [".", "..", *os.listdir(self._at(path))]

    def statfs(self, path):
        found = os.statvfs(self._at(path))
        return {name: getattr(found, name) for name in dir(found) if name.startswith("f_")}

    def open(self, path, flags):
        return os.open(self._at(path), flags & ~os.O_APPEND)  # the kernel says where to write

    def create(self, path, mode, fi=None):
        return os.open(self._at(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)

    def read(self, path, size, offset, fh):
        return os.pread(fh, size, offset)

    def write(self, path, data, offset, fh):
        return os.pwrite(fh, data, offset)

    def truncate(self, path, length, fh=None):
        os.truncate(self._at(path), length)
        return 0

    def fsync(self, path, datasync, fh):
        os.fsync(fh)
        return 0

    def release(self, path, fh):
        os.close(fh)
        return 0

    def mknod(self, path, mode, dev):
        os.mknod(self._at(path), mode, dev)
        os.chmod(self._at(path), stat.S_IMODE(mode))
        return 0

    def mkdir(self, path, mode):
        os.mkdir(self._at(path), mode)
        return 0

    def chmod(self, path, mode):
        os.chmod(self._at(path), mode)
        return 0

    def unlink(self, path):
        os.unlink(self._at(path))
        return 0

    def rmdir(self, path):
        os.rmdir(self._at(path))
        return 0

    def rename(self, old, new):
        os.rename(self._at(old), self._at(new))
        return 0

    def link(self, target, source):
        os.link(self._at(source), self._at(target))
        return 0

    def utimens(self, path, times=None):
        os.utime(self._at(path), ns=times)
        return 0


def _refusing(name: str):
    """An operation that answers an error, whatever it is given."""

    def refuse(*_):
        raise FuseOSError(getattr(errno, name))

    return refuse


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("source", "mountpoint", "kind"):
        parser.add_argument(name)
    for option in _LACKS:
        parser.add_argument(f"--{option}")
    given = vars(parser.parse_args())
    lacks = {name: _refusing(given[option]) for option, names in _LACKS.items() if given[option] for name in names}
    kind = type("Lacking", (Folder,), lacks)
    os.umask(0)
    FUSE(kind(given["source"]), given["mountpoint"], foreground=True, nothreads=True, fsname="passthrough", subtype=given["kind"])


if __name__ == "__main__":
    main()
