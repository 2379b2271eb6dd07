"""Runs the cells of a notebook in a kernel of its own, by nbclient; the kernel ends with it, whatever happens.

What cells show goes to an `Echo` and to a `Draft` as it comes; what happens next is decided here alone.
"""

import asyncio
import contextlib
import os
import subprocess
import tempfile
from typing import Any

from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellExecutionError, DeadKernelError

from .. import inside, redaction
from ..errors import CellFailed, KernelDied, RemoteTraceback
from . import document, resuming, transport
from .document import CodeCell
from .draft import Draft
from .echo import Echo, without_colours
from .listening import Listener

#: Seconds that a cell is given to end once it was interrupted; the job's own grace may be shorter.
_AFTER_INTERRUPT = 5.0

#: Bytes of what a kernel said beside its messages that are shown when it has died.
_LONGEST_ASIDE = 10_000

#: Exit statuses of ``sys.exit`` in a cell that are no failure.
_NO_FAILURE = ("", "0", "None")


class Execution:
    """One run of a notebook.

    Parameters
    ----------
    notebook : NotebookNode
        What is run; its cells get the outputs.
    path : str
        The input, whose folder the kernel works in.
    draft : Draft
        Where the output is written.
    echo : Echo
        Where what cells show goes as well.
    kernel : str
        The name of the kernel.
    """

    def __init__(self, notebook: Any, path: str, draft: Draft, echo: Echo, kernel: str) -> None:
        self._path = path
        self._draft = draft
        self._echo = echo
        self._kernel = kernel
        self._client = Listener(notebook, echo, draft)
        self._managers: list[AsyncKernelManager] = []  # the last one is in use
        self._aside = tempfile.TemporaryFile(dir=_folder_of_job())  # noqa: SIM115 - closed in `_stop`

    async def run(self, cells: list[CodeCell], finished: list[CodeCell]) -> None:
        """Run the cells that are not finished already.

        Raises
        ------
        CellFailed
            If a cell raises; those after it are not run.
        KernelDied
            If the kernel does not start, or dies.
        JobFailed
            If the output can't be written.
        """
        skipped = {cell.place for cell in finished}
        gentle = False
        try:
            self._draft.write()
            await self._start()
            for cell in cells:
                _report(cell, cells)
                if cell.place not in skipped and not await self._run(cell, len(cells)):
                    break
                self._draft.write_if_possible()
            else:
                _report(None, cells)
            await self._client.finish()
            self._client.set_widgets_metadata()
            gentle = True
        finally:
            await self._stop(gentle=gentle)
            if not gentle:
                self._draft.write_if_possible()
        self._draft.write()

    async def _start(self) -> None:
        """Start the kernel; again, where another process had taken one of its ports."""
        for manager in transport.managers(self._kernel, _folder_of_job()):
            self._managers.append(manager)
            try:
                await self._start_by(manager)
            except (OSError, RuntimeError, ValueError) as error:
                failure = error
                if not transport.has_lost_a_port(f"{error}\n{self._said_aside()}"):
                    break
            else:
                return
        self._echo.say(self._said_aside())
        reason = redaction.one_line(str(failure))
        raise KernelDied(f"the kernel {self._kernel} of {self._path} did not start: {reason}") from failure

    async def _start_by(self, manager: AsyncKernelManager) -> None:
        self._aside.seek(0)
        self._aside.truncate()
        folder, environment = os.path.dirname(self._path), {**os.environ, "JPY_SESSION_NAME": self._path}
        await self._client.start(manager, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=self._aside)

    async def _run(self, cell: CodeCell, total: int) -> bool:
        """Run one cell; whether the next may run too."""
        self._echo.begin()
        task = asyncio.ensure_future(self._client.run_cell(cell))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await self._interrupt(task)
            if inside.current_job() is None:
                raise
            trace = _traceback(cell, f"{cell.cell.source}\n\n(The cell did not stop when it was interrupted.)")
            raise CellFailed(_where(cell, total), "KeyboardInterrupt", "the job was stopped") from RemoteTraceback(trace)
        except CellExecutionError as error:
            if error.ename == "SystemExit" and error.evalue in _NO_FAILURE:
                resuming.mark(cell.cell, "ended")  # it runs again when the notebook is resumed, and ends it again
                return False
            resuming.mark(cell.cell, "failed")
            name, said = _named(cell, error)
            raise CellFailed(_where(cell, total), name, said) from RemoteTraceback(_traceback(cell, error.traceback))
        except DeadKernelError:
            self._echo.say(self._said_aside())
            raise KernelDied(
                f"the kernel died in {_where(cell, total)}{await self._how()}; the output so far is saved in {self._draft.path}"
            ) from None
        resuming.mark(cell.cell, "succeeded")
        return True

    async def _interrupt(self, task: "asyncio.Future[Any]") -> None:
        """The job is being ended: interrupt the cell as the button does, and take what it still shows."""
        self._draft.write_if_possible()
        with contextlib.suppress(Exception):
            await self._managers[-1].interrupt_kernel()
        await asyncio.wait({task}, timeout=_AFTER_INTERRUPT)
        if task.done() and not task.cancelled():
            task.exception()  # seen: nobody is to be told again

    def _said_aside(self) -> str:
        """What the kernel has said last beside its messages, such as where it crashed."""
        size = self._aside.seek(0, os.SEEK_END)
        self._aside.seek(max(0, size - _LONGEST_ASIDE))
        return self._aside.read().decode(errors="backslashreplace")

    async def _how(self) -> str:
        """How the kernel's process ended, where that is known."""
        provisioner = self._managers[-1].provisioner
        code = None if provisioner is None else await provisioner.poll()
        if code is None:
            return ""
        return f" (signal {-code})" if code < 0 else f" (exit code {code})"

    async def _stop(self, *, gentle: bool) -> None:
        """End the kernel; its exit handlers run where there is time for them."""
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
    """Where a file of the job may be; None outside of one: where temporary files are."""
    job = inside.current_job()
    return None if job is None else job.folder


def _report(cell: CodeCell | None, cells: list[CodeCell]) -> None:
    """Say how far it is: before a cell, or at the end."""
    if cell is None:
        inside.report(len(cells), len(cells), "")
    else:
        inside.report(cell.number - 1, len(cells), _where(cell, len(cells)))


def _where(cell: CodeCell, total: int) -> str:
    heading = f" ({redaction.cut(redaction.one_line(cell.heading))})" if cell.heading else ""
    return f"cell {cell.number} of {total}{heading}"


def _shown_error(cell: CodeCell) -> Any:
    """The last error that a cell has shown; None where it has shown none."""
    return next((output for output in reversed(cell.cell.outputs) if output["output_type"] == "error"), None)


def _named(cell: CodeCell, error: CellExecutionError) -> tuple[str, str]:
    """Name and message of what a cell raised; a kernel's reply has neither where showing the cell's value has failed."""
    shown = _shown_error(cell)
    if error.ename == "NoneType" and shown is not None:
        return str(shown["ename"]), str(shown["evalue"])
    return error.ename, error.evalue


def _traceback(cell: CodeCell, otherwise: str) -> str:
    shown = _shown_error(cell)
    return without_colours([otherwise] if shown is None else shown["traceback"])


def prepare(notebook: Any) -> list[CodeCell]:
    """Forget what cells of an earlier run have left in a notebook; return those that are to run."""
    for cell in notebook.cells:
        resuming.mark(cell, None)
    return document.code_cells(notebook)
