"""Run the cells of a notebook in its own kernel, using nbclient; the kernel ends with it, whatever happens.

Outputs of cells go to a `MessageForwarder` and to an `OutputNotebook` as they arrive; only this module decides what happens next.
"""

import asyncio
import contextlib
import os
import subprocess
import tempfile
from typing import Any

from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellExecutionError, DeadKernelError

from ..errors import CellFailed, KernelDied, RemoteTraceback
from ..model import redaction
from ..state import current_job
from . import document, resuming, transport
from .document import CodeCell
from .forwarding import MessageForwarder, without_colours
from .listening import ForwardingClient
from .output_file import OutputNotebook

#: Seconds that a cell has to end after it is interrupted; the job's own grace may be shorter.
_AFTER_INTERRUPT = 5.0

#: Bytes of a kernel's standard error that are shown when it has died.
_LONGEST_ASIDE = 10_000

#: Exit statuses of ``sys.exit`` in a cell that do not count as failure.
_NO_FAILURE = ("", "0", "None")


class Execution:
    """One run of a notebook.

    Parameters
    ----------
    notebook : NotebookNode
        The notebook to run; its cells receive the outputs.
    path : str
        The input; its folder is the kernel's working directory.
    output : OutputNotebook
        Writes the output file.
    forwarder : MessageForwarder
        Also receives the cells' outputs.
    kernel : str
        The name of the kernel.
    """

    def __init__(self, notebook: Any, path: str, output: OutputNotebook, forwarder: MessageForwarder, kernel: str) -> None:
        self._path = path
        self._output = output
        self._forwarder = forwarder
        self._kernel = kernel
        self._client = ForwardingClient(notebook, forwarder, output)
        self._managers: list[AsyncKernelManager] = []  # the last one is in use
        self._aside = tempfile.TemporaryFile(dir=_folder_of_job())  # noqa: SIM115 - closed in `_stop`

    async def run(self, cells: list[CodeCell], finished: list[CodeCell]) -> None:
        """Run the cells that are not already finished.

        Raises
        ------
        CellFailed
            If a cell raises; the cells after it are not run.
        KernelDied
            If the kernel does not start, or dies.
        JobFailed
            If the output can't be written.
        """
        skipped = {cell.place for cell in finished}
        gentle = False
        try:
            self._output.write()
            await self._start()
            for cell in cells:
                _report(cell, cells)
                if cell.place not in skipped and not await self._run(cell, len(cells)):
                    break
                self._output.write_if_possible()
            else:
                _report(None, cells)
            await self._client.finish()
            self._client.set_widgets_metadata()
            gentle = True
        finally:
            await self._stop(gentle=gentle)
            if not gentle:
                self._output.write_if_possible()
        self._output.write()

    async def _start(self) -> None:
        """Start the kernel; retry if another process has taken one of its ports."""
        for manager in transport.managers(self._kernel, _folder_of_job()):
            self._managers.append(manager)
            try:
                await self._start_by(manager)
            except (OSError, RuntimeError, ValueError) as error:
                failure = error
                if not transport.has_lost_a_port(f"{error}\n{self._kernel_stderr()}"):
                    break
            else:
                return
        self._forwarder.write(self._kernel_stderr())
        reason = redaction.one_line(str(failure))
        raise KernelDied(f"the kernel {self._kernel} of {self._path} did not start: {reason}") from failure

    async def _start_by(self, manager: AsyncKernelManager) -> None:
        self._aside.seek(0)
        self._aside.truncate()
        folder, environment = os.path.dirname(self._path), {**os.environ, "JPY_SESSION_NAME": self._path}
        await self._client.start(manager, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=self._aside)

    async def _run(self, cell: CodeCell, total: int) -> bool:
        """Run one cell; return whether the next may run too."""
        self._forwarder.begin()
        task = asyncio.ensure_future(self._client.run_cell(cell))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await self._interrupt(task)
            if current_job.current_job() is None:
                raise
            trace = _traceback(cell, f"{cell.cell.source}\n\n(The cell did not stop when it was interrupted.)")
            raise CellFailed(_where(cell, total), "KeyboardInterrupt", "the job was stopped") from RemoteTraceback(trace)
        except CellExecutionError as error:
            if error.ename == "SystemExit" and error.evalue in _NO_FAILURE:
                resuming.mark(cell.cell, "ended")  # it runs again when the notebook is resumed, and then ends it again
                return False
            resuming.mark(cell.cell, "failed")
            name, said = _named(cell, error)
            raise CellFailed(_where(cell, total), name, said) from RemoteTraceback(_traceback(cell, error.traceback))
        except DeadKernelError:
            self._forwarder.write(self._kernel_stderr())
            saved = f"the output so far is saved in {self._output.path}"
            raise KernelDied(f"the kernel died in {_where(cell, total)}{await self._exit_reason()}; {saved}") from None
        resuming.mark(cell.cell, "succeeded")
        return True

    async def _interrupt(self, task: "asyncio.Future[Any]") -> None:
        """Interrupt the cell, like Jupyter's button, because the job is being ended, and collect its last outputs."""
        self._output.write_if_possible()
        with contextlib.suppress(Exception):
            await self._managers[-1].interrupt_kernel()
        await asyncio.wait({task}, timeout=_AFTER_INTERRUPT)
        if task.done() and not task.cancelled():
            task.exception()  # retrieved, so that asyncio does not log it

    def _kernel_stderr(self) -> str:
        """Return the end of the kernel's standard error, for example where it crashed."""
        size = self._aside.seek(0, os.SEEK_END)
        self._aside.seek(max(0, size - _LONGEST_ASIDE))
        return self._aside.read().decode(errors="backslashreplace")

    async def _exit_reason(self) -> str:
        """Return how the kernel's process ended, if that is known."""
        provisioner = self._managers[-1].provisioner
        code = None if provisioner is None else await provisioner.poll()
        if code is None:
            return ""
        return f" (signal {-code})" if code < 0 else f" (exit code {code})"

    async def _stop(self, *, gentle: bool) -> None:
        """Stop the kernel; its exit handlers run if there is time for them."""
        for manager in self._managers:
            with contextlib.suppress(Exception):
                if await manager.is_alive():
                    await manager.shutdown_kernel(now=not gentle)
            with contextlib.suppress(Exception):
                await manager.cleanup_resources()
        if self._client.kc is not None:
            self._client.kc.stop_channels()
        for manager in self._managers:
            with contextlib.suppress(OSError):
                transport.leave(manager)
        self._aside.close()


def _folder_of_job() -> str | None:
    """Return the folder for files of the job; None outside a job, for the folder of temporary files."""
    job = current_job.current_job()
    return None if job is None else job.folder


def _report(cell: CodeCell | None, cells: list[CodeCell]) -> None:
    """Report the progress before a cell, or at the end."""
    if cell is None:
        current_job.report(len(cells), len(cells), "")
    else:
        current_job.report(cell.number - 1, len(cells), _where(cell, len(cells)))


def _where(cell: CodeCell, total: int) -> str:
    heading = f" ({redaction.cut(redaction.one_line(cell.heading))})" if cell.heading else ""
    return f"cell {cell.number} of {total}{heading}"


def _shown_error(cell: CodeCell) -> Any:
    """Return the last error among a cell's outputs; None if there is none."""
    return next((output for output in reversed(cell.cell.outputs) if output["output_type"] == "error"), None)


def _named(cell: CodeCell, error: CellExecutionError) -> tuple[str, str]:
    """Return the name and message of a cell's exception; a reply has neither if displaying the cell's value failed."""
    shown = _shown_error(cell)
    if error.ename == "NoneType" and shown is not None:
        return str(shown["ename"]), str(shown["evalue"])
    return error.ename, error.evalue


def _traceback(cell: CodeCell, otherwise: str) -> str:
    shown = _shown_error(cell)
    return without_colours([otherwise] if shown is None else shown["traceback"])


def clear_outputs(notebook: Any) -> list[CodeCell]:
    """Remove the traces of an earlier run from a notebook's cells; return the cells to run."""
    for cell in notebook.cells:
        resuming.mark(cell, None)
    return document.code_cells(notebook)
