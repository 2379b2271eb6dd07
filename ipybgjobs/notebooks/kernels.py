"""Find a notebook's kernel, and whether it is installed: the same answer at submit and when the job starts it.

``python3`` is always this interpreter's own kernel, even if a user's folder defines that name differently.
"""

import importlib.util
import os
import sys
from typing import Any

from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpec, KernelSpecManager, NoSuchKernel

from ..errors import InvalidParameters


class Kernels(KernelSpecManager):
    """Kernels as Jupyter finds them, except for the interpreter's own."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return how a kernel is started."""
        if kernel_name == NATIVE_KERNEL_NAME and importlib.util.find_spec("ipykernel") is not None:
            return _own()
        return super().get_kernel_spec(kernel_name)


def _own() -> KernelSpec:
    folder = f"{sys.prefix}/share/jupyter/kernels/{NATIVE_KERNEL_NAME}"
    if os.path.exists(f"{folder}/kernel.json"):
        spec: KernelSpec = KernelSpec.from_resource_dir(folder)
        spec.argv[0] = sys.executable  # the file may name the interpreter that wrote it
        return spec
    from ipykernel.kernelspec import RESOURCES, get_kernel_dict

    return KernelSpec(resource_dir=RESOURCES, **get_kernel_dict())


def is_python(language: str) -> bool:
    """Return whether the language of a kernel or notebook is Python; kernels also write ``ipython`` and ``Python``."""
    return language.lower().strip("0123456789.") in ("python", "ipython")


def name_for(notebook: Any, path: str, kernel: str | None = None) -> str:
    """Return the name of the kernel that runs a notebook: the requested one, or else the one that it names.

    Raises
    ------
    InvalidParameters
        If there is neither, and the notebook is not written in Python.
    """
    named = kernel or (notebook.metadata.get("kernelspec") or {}).get("name")
    if named:
        return str(named)
    language = str((notebook.metadata.get("language_info") or {}).get("name") or "python")
    if not is_python(language):
        raise InvalidParameters(f'{path} is written in {language} and names no kernel: pass kernel="…" (available: {_here()}).')
    return str(NATIVE_KERNEL_NAME)


def find_kernelspec(notebook: Any, path: str, kernel: str | None = None) -> KernelSpec:
    """Return the specification of a notebook's kernel.

    Raises
    ------
    InvalidParameters
        If the kernel is not installed.
    """
    name = name_for(notebook, path, kernel)
    try:
        return Kernels().get_kernel_spec(name)
    except NoSuchKernel:
        if kernel:
            raise InvalidParameters(f"kernel={kernel!r} is not installed; available: {_here()}.") from None
        fix = f'pass kernel="…" to use another one (available: {_here()})'
        raise InvalidParameters(f"{path} asks for the kernel {name}, which is not installed: {fix}.") from None


def _here() -> str:
    """Return the names of the installed kernels."""
    return ", ".join(sorted(Kernels().find_kernel_specs())) or "none (pip install ipykernel)"


def note(notebook: Any, name: str) -> None:
    """Record the kernel in the notebook, as a page does after the kernel was changed."""
    spec = Kernels().get_kernel_spec(name)
    notebook.metadata["kernelspec"] = {"display_name": spec.display_name, "language": spec.language, "name": name}
