"""Find the configuration files to read, lowest rank first, and notice when one changes.

Looks only at names and dates; never reads a file.
"""

import os
import stat
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from ..errors import ConfigurationError
from ..system import identity

#: Administrators' folders: fixed, whatever the environment says.
SYSTEM_FOLDERS = ("/etc/jupyter", "/usr/local/etc/jupyter")

#: Names a configuration file of the highest rank.
VARIABLE = "IPYBGJOBS_CONFIG"

_OWN_NAMES = ("ipybgjobs_config.py", "ipybgjobs_config.json")
_PROFILE_NAMES = ("ipython_config.py", "ipython_config.json", "ipython_kernel_config.py", "ipython_kernel_config.json")


class ConfigurationFile(NamedTuple):
    """A configuration file that is read if it exists."""

    path: str
    rank: str  #: system, environment, user, profile, variable


#: Variables that decide which files are read.
DECIDING = (
    "HOME",
    "IPYTHONDIR",
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_CONFIG_PATH",
    "JUPYTER_NO_CONFIG",
    "JUPYTER_PREFER_ENV_PATH",
    "JUPYTER_PLATFORM_DIRS",
    VARIABLE,
)


def find_files(profile: str | None = None, environment: Mapping[str, str] = os.environ) -> list[ConfigurationFile]:
    """List the files to read, lowest rank first.

    Parameters
    ----------
    profile : str, optional
        Folder of the IPython profile; by default the default profile's.
    environment : mapping
        Environment variables.
    """
    sources = _in_folders(_folders())
    folder = profile or default_profile(environment)
    if os.path.isabs(folder):  # never the current folder
        sources += [ConfigurationFile(f"{folder}/{name}", "profile") for name in _PROFILE_NAMES]
    named = environment.get(VARIABLE)
    if named:
        sources.append(ConfigurationFile(os.path.abspath(os.path.expanduser(named)), "variable"))
    return sources


def with_system(files: Iterable[tuple[str, str]]) -> tuple[ConfigurationFile, ...]:
    """Return previously listed files, preceded by the administrators' files, which are always included."""
    system = _in_folders([(folder, "system") for folder in SYSTEM_FOLDERS])
    fixed = {source.path for source in system}
    return (*system, *(ConfigurationFile(path, rank) for path, rank in files if path not in fixed))


def _in_folders(folders: Iterable[tuple[str, str]]) -> list[ConfigurationFile]:
    return [ConfigurationFile(f"{folder}/{name}", rank) for folder, rank in folders for name in _OWN_NAMES]


def _folders() -> list[tuple[str, str]]:
    from jupyter_core import paths

    system = [*SYSTEM_FOLDERS, *(path for path in paths.SYSTEM_CONFIG_PATH if path not in SYSTEM_FOLDERS)]
    try:
        known = paths.jupyter_config_path()
    except RuntimeError:  # no HOME and no system entry for the user, so there are no files of the user's own
        known = list(paths.ENV_CONFIG_PATH)
    others = [path for path in reversed(known) if path not in system and os.path.isabs(path)]
    ranked = [(path, "environment" if path in paths.ENV_CONFIG_PATH else "user") for path in others]
    return [(path, "system") for path in system] + ranked


def user_file() -> str:
    """Return the path of the file that `jupyter bgjobs allow` writes."""
    return f"{_user_folder()}/ipybgjobs_config.json"


def user_python_file() -> str:
    """Return the path of the file that `jupyter bgjobs config init` writes."""
    return f"{_user_folder()}/ipybgjobs_config.py"


def _user_folder() -> str:
    from jupyter_core import paths

    return in_home(paths.jupyter_config_dir, "JUPYTER_CONFIG_DIR")


def in_home(find: Callable[[], str], variable: str) -> str:
    """Return a folder in the user's home, such as Jupyter's data folder.

    Parameters
    ----------
    find : callable
        Returns it.
    variable : str
        The environment variable that names it instead.

    Raises
    ------
    ConfigurationError
        If this user has no home folder.
    """
    try:
        return find()
    except RuntimeError:
        raise ConfigurationError(
            f"User {identity.real_user()} has no home folder (HOME is not set, and the system has no entry): "
            f"set HOME or {variable}."
        ) from None


def default_profile(environment: Mapping[str, str]) -> str:
    """Return the folder of IPython's default profile."""
    ipython = environment.get("IPYTHONDIR") or os.path.join(os.path.expanduser("~"), ".ipython")
    return os.path.join(ipython, "profile_default")


FileStamps = tuple[tuple[int, int, int] | None, ...]


def stamp_files(paths: Iterable[str]) -> FileStamps:
    """Return a value that changes when one of the files is written, created or removed."""
    return tuple(map(_stamp, paths))


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def user_can_write(path: str) -> bool:
    """Return whether this user could change or replace the file; for a link, also the file that it points to."""
    if os.access(path, os.W_OK) or os.stat(path).st_uid == identity.real_user():
        return True
    return any(_can_exchange(step) for step in _path_components(path))


def _path_components(path: str) -> set[str]:
    """Return the names through which a file is reached: its own, that of each link, and the folders above them."""
    wanted, found = [os.path.abspath(path)], set[str]()
    while wanted:
        step = wanted.pop()
        if step in found or step == "/":
            continue
        found.add(step)
        wanted.append(os.path.dirname(step))
        if os.path.islink(step):
            wanted.append(os.path.abspath(os.path.join(os.path.dirname(step), os.readlink(step))))
    return found


def _can_exchange(path: str) -> bool:
    """Return whether this user could rename or remove a path; in a sticky folder, only its owner or the folder's owner can."""
    folder = os.path.dirname(path)
    status = os.stat(folder)
    sticky = status.st_mode & stat.S_ISVTX and identity.real_user() not in (status.st_uid, os.lstat(path).st_uid)
    return status.st_uid == identity.real_user() or (os.access(folder, os.W_OK) and not sticky)
