"""Make matplotlib and plotly draw in a job as they do in a kernel; set in this process once the job imports them.

Child processes are not affected. Settings in the caller's environment always win.
"""

import os
import sys
from typing import Any

#: The backend that a kernel sets for matplotlib.
_INLINE = "module://matplotlib_inline.backend_inline"

#: The renderer that plotly chooses for an unknown shell, and the one that it chooses in a kernel since version 6.
_UNKNOWN_SHELL, _KERNEL, _SINCE = "plotly_mimetype+notebook", "plotly_mimetype", 6


def matplotlib_inline() -> None:
    """Make matplotlib draw inline, as in a kernel, whatever its configuration files say."""
    if not os.environ.get("MPLBACKEND"):
        sys.modules["matplotlib"].rcParams["backend"] = _INLINE


def nbagg_as_pictures() -> None:
    """Make the backend that draws in a page (``%matplotlib notebook``) produce pictures: a job has no page."""
    from IPython.core.interactiveshell import InteractiveShell
    from matplotlib_inline import backend_inline

    backend: Any = sys.modules["matplotlib.backends.backend_nbagg"]
    for name in ("FigureCanvas", "FigureManager", "new_figure_manager_given_figure", "new_figure_manager", "show"):
        if hasattr(backend_inline, name):
            setattr(backend, name, getattr(backend_inline, name))
        elif hasattr(backend, name):
            delattr(backend, name)
    InteractiveShell.instance().events.register("post_execute", backend_inline.flush_figures)


def plotly_without_its_script() -> None:
    """Make plotly's figures contain only data, as in a kernel: otherwise each output would include all of plotly's script."""
    plotly: Any = sys.modules["plotly"]
    renderers = sys.modules["plotly.io"].renderers
    version = int(plotly.__version__.split(".")[0])
    if not os.environ.get("PLOTLY_RENDERER") and renderers.default == _UNKNOWN_SHELL and version >= _SINCE:
        renderers.default = _KERNEL
