"""Background jobs for Jupyter that outlive the cell, the kernel, the browser and the server.

``%load_ext ipybgjobs`` then ``%bgjob module.Class.method key=value``, or ``ipybgjobs.submit(…)`` in a script.

Names are loaded on first use, because every ipybgjobs process imports this module.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._version import __version__
    from .api.housekeeping import clean, pause, resume
    from .api.reading import as_completed, group, job, jobs
    from .api.submitting import grid, run_background_job, run_here, submit, submit_many
    from .client.jobs.group import Group
    from .client.jobs.job import Job
    from .client.submit.option_table import SubmitManyOptions, SubmitOptions
    from .errors import (
        BackgroundJobError,
        CellFailed,
        ConfigurationError,
        Deadlock,
        DuplicateJob,
        Fail,
        InvalidParameters,
        InvalidRequest,
        InvalidTarget,
        JobCancelled,
        JobFailed,
        JobLost,
        JobNotAllowed,
        JobTimeout,
        KernelDied,
        ParametersNotLoaded,
        ResultNotKept,
        Retry,
        StoreError,
        UnknownJob,
        WaitTimeout,
    )
    from .model.records import Attempt
    from .notebooks.cell import Cell
    from .notebooks.job import Notebook
    from .panel.widget import Panel
    from .state.current_job import current_job, progress, report
    from .state.recording import record

_PLACES = {
    "__version__": "_version",
    "current_job": "state.current_job",
    "progress": "state.current_job",
    "record": "state.recording",
    "report": "state.current_job",
    "Attempt": "model.records",
    "Cell": "notebooks.cell",
    "Group": "client.jobs.group",
    "Job": "client.jobs.job",
    "Notebook": "notebooks.job",
    "Panel": "panel.widget",
    "SubmitManyOptions": "client.submit.option_table",
    "SubmitOptions": "client.submit.option_table",
    "as_completed": "api.reading",
    "clean": "api.housekeeping",
    "grid": "api.submitting",
    "group": "api.reading",
    "job": "api.reading",
    "jobs": "api.reading",
    "pause": "api.housekeeping",
    "resume": "api.housekeeping",
    "run_background_job": "api.submitting",
    "run_here": "api.submitting",
    "submit": "api.submitting",
    "submit_many": "api.submitting",
}

__all__ = [
    "Attempt",
    "BackgroundJobError",
    "Cell",
    "CellFailed",
    "ConfigurationError",
    "Deadlock",
    "DuplicateJob",
    "Fail",
    "Group",
    "InvalidParameters",
    "InvalidRequest",
    "InvalidTarget",
    "Job",
    "JobCancelled",
    "JobFailed",
    "JobLost",
    "JobNotAllowed",
    "JobTimeout",
    "KernelDied",
    "Notebook",
    "Panel",
    "ParametersNotLoaded",
    "ResultNotKept",
    "Retry",
    "StoreError",
    "SubmitManyOptions",
    "SubmitOptions",
    "UnknownJob",
    "WaitTimeout",
    "__version__",
    "as_completed",
    "clean",
    "current_job",
    "grid",
    "group",
    "job",
    "jobs",
    "pause",
    "progress",
    "record",
    "report",
    "resume",
    "run_background_job",
    "run_here",
    "submit",
    "submit_many",
]


if not TYPE_CHECKING:  # a type checker would believe in any name

    def __getattr__(name: str) -> Any:
        """Load a public name from its module."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        import importlib

        module = importlib.import_module(f"{__name__}.{_PLACES.get(name, 'errors')}")
        value = getattr(module, name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(shell: Any) -> None:
    """Register the magics; called by ``%load_ext ipybgjobs``."""
    from .commands.magics import load_ipython_extension as load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Remove the magics again."""
    from .commands.magics import unload_ipython_extension as unload

    unload(shell)


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Return the dashboard's extension point for Jupyter Server."""
    from .panel.dashboard.server import Dashboard

    return [{"module": "ipybgjobs.panel.dashboard.server", "app": Dashboard}]
