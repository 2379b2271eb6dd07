"""matplotlib and plotly draw in a job as they do in a kernel, set within this process once the job imports them.

Its children are told nothing: they draw as they would without us. What the caller's environment says stays.
"""

import os
import sys
from typing import Any

#: What a kernel sets for matplotlib.
_INLINE = "module://matplotlib_inline.backend_inline"

#: What plotly takes where it knows the shell no further, and what it takes in a kernel since version 6.
_UNKNOWN_SHELL, _KERNEL, _SINCE = "plotly_mimetype+notebook", "plotly_mimetype", 6


def matplotlib_inline() -> None:
    """Let matplotlib draw inline, whatever its files say, as in a kernel."""
    if not os.environ.get("MPLBACKEND"):
        sys.modules["matplotlib"].rcParams["backend"] = _INLINE


def nbagg_as_pictures() -> None:
    """Let the backend that draws by a page (``%matplotlib notebook``) leave pictures: a job has no page."""
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
    """Let plotly's figures be data alone, as in a kernel, where else each output would hold all of plotly's script."""
    plotly: Any = sys.modules["plotly"]
    renderers = sys.modules["plotly.io"].renderers
    version = int(plotly.__version__.split(".")[0])
    if not os.environ.get("PLOTLY_RENDERER") and renderers.default == _UNKNOWN_SHELL and version >= _SINCE:
        renderers.default = _KERNEL
