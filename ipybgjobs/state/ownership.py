"""Check who owns the state folder, before anything in it is trusted or created.

A folder or file of another user could make this user run that user's code. Owners are compared, never tested by trying: root may
change what belongs to others. It never changes anything. Every ipybgjobs process loads it, so it imports next to nothing.

It refuses: an owner other than this user, for the folder and for each entry in it; a link that another user made; an entry, or a
folder that is not empty, that others can write to; a folder above it that every user can write to and that is not sticky, because
anyone can replace the folder there. The owner and the group of a folder above are trusted: they were chosen with the place.
"""

import os
import stat

from ..errors import StoreError
from ..system import identity, private_file

#: Most links in a path; as many as Linux follows.
_MOST_LINKS = 40

#: Created by a file system in its topmost folder; never read.
_NOT_OURS = "lost+found"

_WRITABLE_BY_OTHERS = 0o022


def resolve(path: str) -> str:
    """Follow the links of a path, as `os.path.realpath` does, and refuse those of other users.

    Parameters
    ----------
    path : str
        The path of a state folder, or of something in it; it need not exist yet.

    Returns
    -------
    str
        The same path, absolute, without links.

    Raises
    ------
    StoreError
        If a link on the way belongs to another user, or any user could replace a folder on the way.
    """
    left = os.path.abspath(path).split("/")[::-1]
    place, links = "/", 0
    while left:
        name = left.pop()
        if name in {"", "."}:
            continue
        place = os.path.dirname(place) if name == ".." else os.path.join(place, name)
        try:
            found = os.lstat(place)
        except OSError:
            continue
        if stat.S_ISLNK(found.st_mode):
            links += 1
            left += _target(path, place, found, links).split("/")[::-1]
            place = "/" if os.readlink(place).startswith("/") else os.path.dirname(place)
        elif left and found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
            raise refusal(
                path,
                f"every user can write to {place}, and so replace what is in it: remove that permission (chmod o-w {place})",
            )
    return place


def _target(path: str, link: str, found: os.stat_result, links: int) -> str:
    if found.st_uid not in _trusted():
        raise refusal(path, f"{link} is a link that user {found.st_uid} made, and may change at any time")
    if links > _MOST_LINKS:
        raise refusal(path, f"{link} is one of more than {_MOST_LINKS} links, which may form a loop")
    return os.readlink(link)


def _trusted() -> set[int]:
    """Return the users whose links are followed: this user and root, with whatever number a user namespace shows for root."""
    return {identity.user(), 0, os.stat("/").st_uid}


def check(folder: str, *, made: bool = False) -> None:
    """Refuse a state folder that does not belong to this user alone; a missing folder is accepted.

    Parameters
    ----------
    folder : str
        The state folder.
    made : bool
        Whether this process has just created it, and closed it to others.

    Raises
    ------
    StoreError
        If it is refused; the message says what was found, why it matters and what to do.
    """
    try:
        found = os.stat(resolve(folder))
    except OSError:
        return
    if found.st_uid != identity.user():
        raise refusal(folder, _of_another(found.st_uid, made=made))
    if made and found.st_mode & 0o077:
        raise refusal(
            folder,
            f"its volume does not store modes (this one stays {_mode(found)}), so others can read and change what is in it",
        )
    if not stat.S_ISDIR(found.st_mode) or not found.st_mode & stat.S_IRUSR:
        return  # the caller that creates what is missing reports it, or grants itself the permission and checks again
    with os.scandir(folder) as entries:
        for entry in entries:
            if found.st_mode & _WRITABLE_BY_OTHERS:
                raise refusal(folder, _open_to_others("it", found, folder))
            _check_entry(folder, entry)


def _of_another(uid: int, *, made: bool) -> str:
    if made:
        return (
            f"what you create there belongs to user {uid}, but you are user {identity.user()}, "
            "so the volume can't show what is yours"
        )
    return f"it belongs to user {uid}, who could make you run anything, but you are user {identity.user()}: run this as its owner"


def _open_to_others(what: str, found: os.stat_result, folder: str) -> str:
    return (
        f"others can write to {what} (mode {_mode(found)}), and so may have changed what is there: check it, "
        f"and if it is all yours, close it (chmod -R go-rwx {folder})"
    )


def _check_entry(folder: str, entry: "os.DirEntry[str]") -> None:
    """Refuse an entry of the folder that another user has put there, or could change."""
    if entry.name == _NOT_OURS:
        return
    try:
        found = os.lstat(entry.path)
        if stat.S_ISLNK(found.st_mode) and found.st_uid == identity.user():
            found = os.stat(resolve(entry.path))
    except OSError:
        return  # gone since, or a link to nothing
    if found.st_uid != identity.user():
        raise refusal(
            folder,
            f"{entry.name} in it belongs to user {found.st_uid}, who could make you run anything: check it, and remove it",
        )
    if found.st_mode & _WRITABLE_BY_OTHERS and not stat.S_ISLNK(found.st_mode):
        raise refusal(folder, _open_to_others(f"{entry.name} in it", found, folder))


def _mode(found: os.stat_result) -> str:
    return f"{stat.S_IMODE(found.st_mode):04o}"


def refusal(folder: str, why: str) -> StoreError:
    """Return the error that says why a state folder can't be used, and what to do."""
    return StoreError(
        f"The state folder {folder} can't be used: {why}. You can also set BackgroundJobs.state_dir or IPYBGJOBS_STATE_DIR to "
        "a folder that you created yourself, on a local disk. Nothing was changed."
    )


def read(path: str) -> bytes:
    """Read a file that may contain code, such as a pickle, if it belongs to this user.

    Raises
    ------
    StoreError
        If it belongs to another user.
    OSError
        If it can't be read.
    """
    with private_file.opened(path) as file:
        owner = os.fstat(file.fileno()).st_uid
        if owner != identity.user():
            raise StoreError(f"{path} belongs to user {owner}, who could make you run anything, so it was not read.")
        return file.read()
