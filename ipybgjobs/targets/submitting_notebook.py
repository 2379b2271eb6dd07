"""The notebook that this process belongs to, for the jobs that it submits; it asks the environment, and no server."""

import os
import sys

#: Set by Jupyter's server for each kernel, and inherited by its jobs: the path of the notebook, or the name of a console.
_SESSION = "JPY_SESSION_NAME"

#: Set by Visual Studio Code in the namespace of a notebook.
_CODE = "__vsc_ipynb_file__"


def path() -> str | None:
    """Return the path of the notebook; None if this is a script, a console, or a kernel without a server."""
    found = os.environ.get(_SESSION) or getattr(sys.modules.get("__main__"), _CODE, None)
    return found if isinstance(found, str) and os.path.splitext(found)[1] else None
