"""Functions for scripts and notebooks: ``import ipybgjobs as bg``, then ``bg.submit(…)``.

Most make one call to the client; they never touch the store themselves.

Modules
-------
housekeeping
    Queues paused and resumed, finished jobs removed.
reading
    Jobs and groups, found again.
submitting
    One job or many, and a call in this process.
"""

from .housekeeping import clean, pause, resume
from .reading import as_completed, group, job, jobs
from .submitting import grid, path_of, run_background_job, run_here, submit, submit_many

__all__ = [
    "as_completed",
    "clean",
    "grid",
    "group",
    "job",
    "jobs",
    "path_of",
    "pause",
    "resume",
    "run_background_job",
    "run_here",
    "submit",
    "submit_many",
]
