"""Determine a folder's file system: who else may write its files, and how far a lock on one reaches.

SQLite's write-ahead log needs memory shared by all users of the store, so a single kernel. A free lock proves that no one else
uses a file only if the lock reaches everyone who could. Linux: ``/proc/self/mountinfo``.
"""

import os
import re
from enum import Enum
from typing import NamedTuple

#: Shared by several machines, or by a host and its guests; described as such to users.
_NETWORK = (
    "9p",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "fuse.beegfs",
    "fuse.ceph",
    "fuse.ceph-fuse",
    "fuse.gcsfuse",
    "fuse.glusterfs",
    "fuse.juicefs",
    "fuse.rclone",
    "fuse.s3fs",
    "fuse.sshfs",
    "gfs2",
    "glusterfs",
    "gpfs",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "ocfs2",
    "orangefs",
    "panfs",
    "prl_fs",
    "pvfs2",
    "smb3",
    "smbfs",
    "vboxsf",
    "virtiofs",
    "vmhgfs",
    "wekafs",
)

#: Mounted only by this kernel; layered ones are based on such. Any other kind may be shared.
_LOCAL = (
    "bcachefs",
    "btrfs",
    "exfat",
    "ext2",
    "ext3",
    "ext4",
    "f2fs",
    "fuseblk",
    "jfs",
    "nilfs2",
    "ntfs3",
    "overlay",
    "ramfs",
    "reiserfs",
    "tmpfs",
    "vfat",
    "xfs",
    "zfs",
)

#: NFS: the server holds the locks, unless an option keeps them on this machine.
_SERVED, _UNSERVED = ("nfs", "nfs4"), ("nolock", "local_lock=all", "local_lock=flock", "local_lock=posix")


class Locks(Enum):
    """How far a lock on a file reaches."""

    EVERYWHERE = "everywhere"  #: to everyone who could use the file: only this kernel has the file system
    KERNEL = "kernel"  #: to all processes of this kernel, through any mount
    MOUNT = "mount"  #: as far as is known, only within this mount of the file system


class _Mount(NamedTuple):
    kind: str
    options: tuple[str, ...]


def _mount(path: str) -> _Mount:
    place = os.path.realpath(path)
    best, found = "", _Mount("unknown", ())
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            before, _, after = line.partition(" - ")
            mount = _plain(before.split(" ")[4])
            if len(mount) >= len(best) and (place == mount or place.startswith(mount.rstrip("/") + "/")):
                kind, *rest = after.split()
                best, found = mount, _Mount(kind, tuple(rest[-1].split(",")) if rest else ())
    return found


def _plain(field: str) -> str:
    """Decode a field in which blanks, line ends and backslashes are written as octal numbers."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field)


def kind(path: str) -> str:
    """Return the type of the file system that holds a path, such as ``ext4`` or ``nfs4``."""
    return _mount(path).kind


def describe(path: str) -> str:
    """Return the type of the file system that holds a path, and who else may use it."""
    found = kind(path)
    if _is_local(found):
        return found
    return f"{found} (a network file system)" if found in _NETWORK else f"{found} (not known to be local to this machine)"


def is_local(path: str) -> bool:
    """Return whether only this kernel has the file system that holds a path, judging by its type."""
    return _is_local(kind(path))


def _is_local(kind: str) -> bool:
    return kind in _LOCAL and kind not in _NETWORK


def locks(path: str) -> Locks:
    """Return how far a lock on a file in a folder reaches."""
    mount = _mount(path)
    if _is_local(mount.kind):
        return Locks.EVERYWHERE
    if mount.kind in _SERVED and not set(mount.options) & set(_UNSERVED):
        return Locks.KERNEL
    return Locks.MOUNT
