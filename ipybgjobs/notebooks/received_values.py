"""The worker's side of values that a notebook's code records: they become values of the job, and no output of the notebook."""

import contextlib
from pathlib import Path
from typing import Any

from ..model import scalars
from ..state import recording
from . import kernel_recording


def request() -> str:
    """Return the code that lets a kernel send values; it binds no names in the notebook."""
    source = Path(kernel_recording.__file__).read_text(encoding="utf-8") + "\nbegin(get_ipython().kernel, attribute)\n"
    names = {"__name__": "kernel", "attribute": recording.OF_KERNEL}
    return f"exec({source!r}, {{'get_ipython': get_ipython, **{names!r}}})"


def take(message: dict[str, Any]) -> bool:
    """Record the values that a kernel has sent; return whether the message had any."""
    if message["msg_type"] != "display_data":
        return False
    data = message["content"].get("data") or {}
    if kernel_recording.MIME not in data:
        return False
    with contextlib.suppress(ValueError):  # too many names: the job keeps those that it has
        recording.take_checked(scalars.read(data[kernel_recording.MIME]))
    return True
