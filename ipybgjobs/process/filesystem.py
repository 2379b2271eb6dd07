"""What kind of file system a folder is on: SQLite's write-ahead log needs shared memory, which network ones lack.

Linux: ``/proc/self/mountinfo``.
"""

import os

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


def kind(path: str) -> str:
    """Return the type of the file system that holds a path, such as ``ext4`` or ``nfs4``."""
    place = os.path.realpath(path)
    best, found = "", "unknown"
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            before, _, after = line.partition(" - ")
            mount = before.split()[4].replace("\\040", " ")
            if len(mount) >= len(best) and (place == mount or place.startswith(mount.rstrip("/") + "/")):
                best, found = mount, after.split()[0]
    return found


def is_network(path: str) -> bool:
    """Whether other machines may write the same files."""
    return kind(path) in _NETWORK
