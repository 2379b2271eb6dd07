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
