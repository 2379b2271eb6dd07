"""`Notebook`: the class whose method `run` runs a notebook as a job; allowed and submitted like any other.

It never decides whether a notebook may run: `allowlist` does, at submit and at launch.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InvalidParameters
from ..model import redaction
from ..model.path_with_content import PathWithContent
from ..state import current_job
from . import destination, document, format_library

if TYPE_CHECKING:
    from .forwarding import MessageForwarder


class Notebook:
    """Runs notebooks: ``%bgjob train.ipynb alpha=0.1 --output runs/``, or ``ipybgjobs.submit("train.ipynb", {"alpha": 0.1})``.

    Examples
    --------
    >>> params = {"path": "train.ipynb", "parameters": {"epochs": 2}, "output": "trained.ipynb"}
    >>> ipybgjobs.submit("ipybgjobs.Notebook.run", params).result().endswith("trained.ipynb")
    True
    """

    async def run(
        self,
        path: str | Path,
        parameters: dict[str, Any] | None = None,
        output: str | Path | None = None,
        *,
        resume: bool = False,
        kernel: str | None = None,
    ) -> str:
        """Run a notebook, as it was at submit, in its own kernel.

        Parameters
        ----------
        path : str or Path
            The notebook; its folder is the kernel's working directory. A pattern in `allowed_notebooks` must match it.
        parameters : dict, optional
            Values for the assignments in the cell tagged ``parameters``.
        output : str or Path, optional
            A file, or a folder, in which the file is named after the input and the job: ``train-job12.ipynb``. Default: the
            folder of the input. It is written whenever a cell ends.
        resume : bool
            Whether to skip cells that succeeded in the existing output and have not changed: from the top up to the first one
            that did not. Their variables do not exist then; cells tagged ``parameters``, ``injected-parameters`` or ``setup``
            always run.
        kernel : str, optional
            The name of the kernel, as ``jupyter kernelspec list`` shows it. Default: the one that the notebook names.

        Returns
        -------
        str
            The output file.

        Raises
        ------
        InvalidParameters
            If the notebook can't be run with these parameters.
        CellFailed
            If a cell raises.
        KernelDied
            If the kernel does not start, or dies.
        """
        job = current_job.current_job()
        format_library.load()  # before nbclient imports it
        from . import execution, kernels, resuming
        from .forwarding import MessageForwarder
        from .output_file import OutputNotebook

        if not isinstance(path, PathWithContent):  # called, not submitted
            given = {"path": path, "parameters": parameters, "output": output, "resume": resume, "kernel": kernel}
            return await self.run(**self.on_submit("run", given))
        forwarder = MessageForwarder()
        notebook = document.parse(path.content)
        shown = _put(notebook, parameters or {})
        cells = execution.clear_outputs(notebook)
        name = kernels.name_for(notebook, path, kernel)
        if kernel is not None:
            kernels.note(notebook, name)
        number, uid = (None, None) if job is None else (job.id, job.uid)
        target = destination.file(str(output), path, number, uid)
        notebook.metadata[document.METADATA] = {"input": str(path), "job": uid}
        finished = resuming.finished(cells, shown, target) if resume else []
        if finished:
            forwarder.write(f"[{len(finished)} of {len(cells)} cells already succeeded in {target} and are skipped]\n")
        output_notebook = OutputNotebook(notebook, target, shown, lambda: _file_of_its_own(target, job, forwarder))
        await execution.Execution(notebook, path, output_notebook, forwarder, name).run(cells, finished)
        return output_notebook.path

    @classmethod
    def on_submit(cls, method: str, params: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG003 - there is only one method
        """Check a notebook with its parameters, and return them with its content.

        Raises
        ------
        InvalidParameters
            If the notebook can't be run with them.
        """
        from . import kernels

        path = os.path.realpath(os.path.expanduser(params["path"]))
        content = document.load(path)
        notebook = document.parse(content)
        language = kernels.find_kernelspec(notebook, path, params.get("kernel")).language
        given = _fitted(notebook, path, language, params.get("parameters") or {})
        output = destination.resolved(params.get("output"), path)
        return {**params, "path": PathWithContent(path, content), "output": output} | ({"parameters": given} if given else {})


def _file_of_its_own(target: str, job: current_job.CurrentJob | None, forwarder: "MessageForwarder") -> str:
    """Return where the output continues once another file has replaced it, and say so in the log."""
    number, uid = (None, None) if job is None else (job.id, job.uid)
    own = destination.file(os.path.join(os.path.dirname(target), ""), target, number, uid)
    forwarder.write(f"[{target} was replaced by another file: this notebook's output continues in {own}]\n")
    return own


def _fitted(notebook: Any, path: str, language: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a notebook's parameters, checked and converted according to its cell."""
    from ..targets import binding
    from . import injection, kernels, signature

    if not kernels.is_python(language):
        if given:
            raise InvalidParameters(
                f"{path} is written in {language or 'an unknown language'}: only Python notebooks take parameters."
            )
        return {}
    expected = signature.signature_of(notebook, path)
    if expected is None:
        if given:
            name = next(iter(given))
            raise InvalidParameters(
                f'{path} has no cell tagged "parameters", so it does not take {name}: tag the cell that assigns it.'
            )
        return {}
    if not given and document.tagged(notebook, document.INJECTED) is not None:
        return {}  # it already has parameters, from an earlier run
    found = binding.bind(expected, given, redaction.secret_names(given, redaction.SECRET_NAMES))
    injection.source(found)  # refuses values that can't be written
    return found


def _blanked(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return parameters as the output shows them."""
    names = redaction.secret_names(redaction.names_in(parameters), current_job.secret_names())
    shown: dict[str, Any] = redaction.blanked(parameters, names)
    return shown


def _put(notebook: Any, parameters: dict[str, Any]) -> dict[int, str]:
    """Put parameters into a notebook; return the sources that its output shows instead of cells with secrets, by index."""
    from . import injection

    if not parameters:
        return {}
    source, shown = injection.source(parameters), injection.source(_blanked(parameters))
    injection.inject(notebook, source)
    index = document.tagged(notebook, document.INJECTED)
    return {} if source == shown or index is None else {index: shown}
