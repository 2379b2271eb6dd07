"""What kind of file system a folder is on: who may write the same files, and whether a lock on one would be seen here.

SQLite's write-ahead log needs shared memory, which network file systems lack. A lock says that nobody else uses a file only
where it would reach whoever could. Linux: ``/proc/self/mountinfo``.
"""

import os
from enum import Enum
from typing import NamedTuple

_NETWORK = (
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "fuse.sshfs",
    "afs",
    "lustre",
    "gpfs",
    "beegfs",
    "ceph",
    "glusterfs",
)

#: What only this kernel has mounted; a layered one lies on such.
_LOCAL = (
    "ext2",
    "ext3",
    "ext4",
    "xfs",
    "btrfs",
    "bcachefs",
    "zfs",
    "f2fs",
    "jfs",
    "nilfs2",
    "reiserfs",
    "tmpfs",
    "ramfs",
    "overlay",
    "ntfs3",
    "vfat",
    "exfat",
)

#: NFS: locks are the server's, unless an option keeps them on this machine.
_SERVED, _UNSERVED = ("nfs", "nfs4"), ("nolock", "local_lock=all", "local_lock=flock", "local_lock=posix")


class Locks(Enum):
    """How far a lock on a file reaches."""

    EVERYWHERE = "everywhere"  #: to all who could use the file: this kernel alone has the file system
    KERNEL = "kernel"  #: to all of this kernel, by whichever mount
    MOUNT = "mount"  #: no farther than this file system as it is mounted here, as far as is known


class _Mount(NamedTuple):
    kind: str
    options: tuple[str, ...]


def _mount(path: str) -> _Mount:
    place = os.path.realpath(path)
    best, found = "", _Mount("unknown", ())
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            before, _, after = line.partition(" - ")
            mount = before.split()[4].replace("\\040", " ")
            if len(mount) >= len(best) and (place == mount or place.startswith(mount.rstrip("/") + "/")):
                kind, *rest = after.split()
                best, found = mount, _Mount(kind, tuple(rest[-1].split(",")) if rest else ())
    return found


def kind(path: str) -> str:
    """Return the type of the file system that holds a path, such as ``ext4`` or ``nfs4``."""
    return _mount(path).kind


def is_network(path: str) -> bool:
    """Whether other machines may write the same files."""
    return kind(path) in _NETWORK


def locks(path: str) -> Locks:
    """Return how far a lock on a file in a folder reaches."""
    mount = _mount(path)
    if mount.kind in _LOCAL:
        return Locks.EVERYWHERE
    if mount.kind in _SERVED and not set(mount.options) & set(_UNSERVED):
        return Locks.KERNEL
    return Locks.MOUNT
