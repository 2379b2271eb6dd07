"""Detect what may end all processes here at once, including supervisor and jobs, whatever session they are in.

Linux: ``/proc/self/cgroup``, marker files, variables of batch systems.
"""

import os
from collections.abc import Mapping

from ..model import surface

_BATCH = {
    "SLURM_JOB_ID": "a Slurm allocation",
    "PBS_JOBID": "a PBS job",
    "LSB_JOBID": "an LSF job",
    "JOB_ID": "a batch job",
}
_CONTAINER_FILES = ("/.dockerenv", "/run/.containerenv")


def limit(environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the thing that takes all processes here with it when it ends, such as ``a container``; None if none is known."""
    batch = next((name for variable, name in _BATCH.items() if environment.get(variable)), None)
    if batch:
        return batch
    if any(map(os.path.exists, _CONTAINER_FILES)) or environment.get("KUBERNETES_SERVICE_HOST"):
        return "a container"
    unit = _systemd_unit()
    return f"the systemd unit {unit}" if unit else None


def _systemd_unit() -> str | None:
    """Return the unit that systemd would stop with all its processes; a login session's scope is left to logind's settings."""
    try:
        with open("/proc/self/cgroup", encoding="ascii", errors="replace") as file:
            path = file.read().strip().rpartition(":")[2]
    except OSError:
        return None
    last = path.rpartition("/")[2]
    return last if last.endswith(".service") and not last.startswith("user@") else None


def note(environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the warning in short form, for the first submit; None if no limit is known."""
    what = limit(environment)
    return None if what is None else f"Jobs here run in {what} and end with it; {surface.command('doctor')} says more."


def warning(environment: Mapping[str, str] = os.environ) -> str | None:
    """Return a warning of one or two sentences; None if no limit is known."""
    what = limit(environment)
    if what is None:
        return None
    return (
        f"Running in {what}: when it ends, running attempts end too. They are marked lost, and retried by their policy, the next "
        "time this state folder is opened."
    )
