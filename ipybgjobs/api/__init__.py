"""Functions for scripts and notebooks: ``import ipybgjobs as bg``, then ``bg.submit(…)``.

Most make one call to the client; they never touch the store themselves.

Modules
-------
housekeeping
    Pausing and resuming queues, removing finished jobs.
reading
    Finding jobs and groups.
submitting
    Submitting one job or many, and running a call in this process.
"""

from .housekeeping import clean, pause, resume
from .reading import as_completed, group, job, jobs
from .submitting import grid, run_background_job, run_here, submit, submit_many

__all__ = [
    "as_completed",
    "clean",
    "grid",
    "group",
    "job",
    "jobs",
    "pause",
    "resume",
    "run_background_job",
    "run_here",
    "submit",
    "submit_many",
]
