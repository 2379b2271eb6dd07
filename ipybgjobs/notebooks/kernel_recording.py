"""Let code of a notebook's kernel record values of the job: `ipybgjobs.record` there sends them to the worker.

This source is sent to the kernel, whose environment may lack this package and have another Python: it imports nothing
of this package, and binds no names in the notebook.
"""

from typing import Any

#: The type under which values are sent; the worker keeps them out of the notebook.
MIME = "application/vnd.ipybgjobs.values+json"


def begin(kernel: Any, attribute: str) -> None:
    """Give a kernel of ipykernel the function that `ipybgjobs.record` calls.

    Parameters
    ----------
    kernel : Kernel
        The kernel's object.
    attribute : str
        The name of the function there.
    """
    import os

    pid, publisher = os.getpid(), kernel.shell.display_pub

    def send(values: Any) -> None:
        if os.getpid() == pid:  # a fork of the kernel has no right to its sockets
            content = {"data": {MIME: values}, "metadata": {}, "transient": {}}
            publisher.session.send(publisher.pub_socket, "display_data", content, parent=publisher.parent_header)

    setattr(kernel, attribute, send)
