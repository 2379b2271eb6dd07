"""A fingerprint of what is installed for this interpreter: what a process that has been running for long can't notice."""

import os
import sys


def fingerprint() -> tuple[tuple[str, int], ...]:
    """Return a fingerprint of the installed packages and of the interpreter; it changes when one of them is replaced."""
    places = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    return tuple((path, os.stat(path).st_mtime_ns) for path in (*places, sys.executable) if os.path.exists(path))
