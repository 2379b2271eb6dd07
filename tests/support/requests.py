"""Requests made as a client makes them, but without waiting."""

import ipybgjobs as bg
from ipybgjobs.client import client as client_module


def request_cancel(job: bg.Job, grace: float = 0.2) -> None:
    """Cancel without waiting, as `Job.cancel` sees to it that a supervisor is there."""
    client = client_module.client()
    client.cancel(client.folder(), [job.id], grace)
