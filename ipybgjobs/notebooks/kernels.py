"""Which kernel a notebook is for, and whether it is here: the same answer at submit and when the job starts it.

``python3`` is this interpreter's own kernel, whatever a user's folder says of that name.
"""

import importlib.util
import os
import sys
from typing import Any

from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpec, KernelSpecManager, NoSuchKernel

from ..errors import InvalidParameters


class Kernels(KernelSpecManager):
    """Kernels as Jupyter finds them, apart from the interpreter's own."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return how a kernel is started."""
        if kernel_name == NATIVE_KERNEL_NAME and importlib.util.find_spec("ipykernel") is not None:
            return _own()
        return super().get_kernel_spec(kernel_name)


def _own() -> KernelSpec:
    folder = f"{sys.prefix}/share/jupyter/kernels/{NATIVE_KERNEL_NAME}"
    if os.path.exists(f"{folder}/kernel.json"):
        spec: KernelSpec = KernelSpec.from_resource_dir(folder)
        spec.argv[0] = sys.executable  # the file may name another interpreter: the one that wrote it
        return spec
    from ipykernel.kernelspec import RESOURCES, get_kernel_dict

    return KernelSpec(resource_dir=RESOURCES, **get_kernel_dict())


def name_for(notebook: Any, path: str) -> str:
    """Return the name of the kernel that a notebook asks for.

    Raises
    ------
    InvalidParameters
        If it names none, and is not written in Python.
    """
    named = notebook.metadata.get("kernelspec", {}).get("name")
    if named:
        return str(named)
    language = notebook.metadata.get("language_info", {}).get("name", "python")
    if language != "python":
        raise InvalidParameters(f"{path} is written in {language} and names no kernel: open it, choose a kernel, and save it.")
    return str(NATIVE_KERNEL_NAME)


def find(notebook: Any, path: str) -> KernelSpec:
    """Return how the kernel of a notebook is started.

    Raises
    ------
    InvalidParameters
        If there is no such kernel here.
    """
    name = name_for(notebook, path)
    manager = Kernels()
    try:
        return manager.get_kernel_spec(name)
    except NoSuchKernel:
        here = ", ".join(sorted(manager.find_kernel_specs())) or "none: pip install ipykernel"
        raise InvalidParameters(f"{path} asks for the kernel {name}, which is not here; there is {here}.") from None
