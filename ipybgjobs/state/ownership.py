"""Whose the state folder is: looked at before anything in it is believed or made.

A folder, or a file in it, that is another user's could make this user run that user's code. Owners are compared, never tried
out: root may change what is others'. It changes nothing. Every process of ours loads it, so it imports next to nothing.

Refused are: an owner other than this user, for the folder and for each entry in it; a link that another user has made; an entry,
or a folder that is not empty, that others may write; a folder above it that everybody may write and that is not sticky, since
there anybody can exchange the folder for another. The owner of a folder above, and the group that it was given to, are trusted:
who chose the place chose them.
"""

import os
import stat

from ..errors import StoreError
from ..system import identity, private_file

#: Links that a path may lead through; as many as Linux follows.
_MOST_LINKS = 40

#: What a file system puts into its topmost folder; nobody reads it.
_NOT_OURS = "lost+found"

_WRITABLE_BY_OTHERS = 0o022


def resolve(path: str) -> str:
    """Follow the links of a path, as `os.path.realpath` does, and refuse those of other users.

    Parameters
    ----------
    path : str
        Of a state folder, or of what is in it; what does not exist yet is no link.

    Returns
    -------
    str
        The same place, absolute, without links.

    Raises
    ------
    StoreError
        If a link on the way is another user's, or everybody may exchange a folder on the way.
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
                f"everybody may write {place}, and so exchange what is in it for something else: "
                f"take that right away (chmod o-w {place})",
            )
    return place


def _target(path: str, link: str, found: os.stat_result, links: int) -> str:
    if found.st_uid not in _trusted():
        raise refusal(path, f"{link} is a link that user {found.st_uid} has made, and may change at any time")
    if links > _MOST_LINKS:
        raise refusal(path, f"{link} is one of more than {_MOST_LINKS} links, which may lead in a circle")
    return os.readlink(link)


def _trusted() -> set[int]:
    """Whose links are followed: this user's and root's, by whatever number a user namespace shows root."""
    return {identity.user(), 0, os.stat("/").st_uid}


def check(folder: str, *, made: bool = False) -> None:
    """Refuse a state folder that is not this user's alone; one that is not there is nobody's.

    Parameters
    ----------
    folder : str
        The state folder.
    made : bool
        Whether this process has just made it, and closed it.

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
            folder, f"its volume keeps no modes (this one stays {_mode(found)}), so others can read and change what is in it"
        )
    if not stat.S_ISDIR(found.st_mode) or not found.st_mode & stat.S_IRUSR:
        return  # whoever makes what is missing says so, or gives itself the right and looks again
    with os.scandir(folder) as entries:
        for entry in entries:
            if found.st_mode & _WRITABLE_BY_OTHERS:
                raise refusal(folder, _open_to_others("it", found, folder))
            _check_entry(folder, entry)


def _of_another(uid: int, *, made: bool) -> str:
    if made:
        return (
            f"what you make there is given to user {uid}, and you are user {identity.user()}, "
            "so the volume can't say what is yours"
        )
    return f"it belongs to user {uid}, who could make you run anything, and you are user {identity.user()}: run this as its owner"


def _open_to_others(what: str, found: os.stat_result, folder: str) -> str:
    return (
        f"others may write {what} (mode {_mode(found)}), and so may have changed what is there: look at it, "
        f"and where all is yours close it (chmod -R go-rwx {folder})"
    )


def _check_entry(folder: str, entry: "os.DirEntry[str]") -> None:
    """Refuse something in the folder that another user has put there, or may change."""
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
            f"{entry.name} in it belongs to user {found.st_uid}, who could make you run anything: look at it, and take it away",
        )
    if found.st_mode & _WRITABLE_BY_OTHERS and not stat.S_ISLNK(found.st_mode):
        raise refusal(folder, _open_to_others(f"{entry.name} in it", found, folder))


def _mode(found: os.stat_result) -> str:
    return f"{stat.S_IMODE(found.st_mode):04o}"


def refusal(folder: str, why: str) -> StoreError:
    """Return the error that says why a state folder can't be used, and what to do."""
    return StoreError(
        f"The state folder {folder} can't be used: {why}; or set BackgroundJobs.state_dir or IPYBGJOBS_STATE_DIR to a folder "
        "that you have made yourself, on a local disk. Nothing was changed."
    )


def read(path: str) -> bytes:
    """Read a file that may hold code, such as a pickle, and only one that is this user's.

    Raises
    ------
    StoreError
        If it is another user's.
    OSError
        If it can't be read.
    """
    with private_file.opened(path) as file:
        owner = os.fstat(file.fileno()).st_uid
        if owner != identity.user():
            raise StoreError(f"{path} belongs to user {owner}, who could make you run anything, so it is not read.")
        return file.read()
