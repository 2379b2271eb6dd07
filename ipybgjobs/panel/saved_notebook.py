"""Whether the file of this kernel's notebook has saved cards or panels; it loads no widget, since most notebooks have none."""

import os

from ..system import private_file
from . import static

#: Largest part of a notebook that is searched, in bytes.
_LARGEST = 200 << 20


def has_static_forms() -> bool:
    """Return whether the notebook's file has static forms; False if the server does not tell which file it is."""
    path = os.environ.get("JPY_SESSION_NAME", "")
    if not path.endswith(".ipynb"):
        return False
    try:
        with private_file.opened(path) as file:
            return static.MARK.encode() in file.read(_LARGEST)
    except OSError:
        return False
