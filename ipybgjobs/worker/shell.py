"""IPython in a job: a shell without terminal, history or input, whose displays become records; loaded with the job's IPython.

It also runs the code of a whole cell.
"""

import sys
import types
import warnings
from typing import Any, NoReturn

from IPython.core.compilerop import CachingCompiler
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config

from . import descriptions
from .displays import Outputs

_outputs: list[Outputs] = []


class JobPublisher(DisplayPublisher):
    """Writes displays to the attempt folder."""

    def publish(
        self,
        data: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        source: object = None,  # noqa: ARG002 - deprecated, and part of the signature
        *,
        transient: dict[str, Any] | None = None,
        update: bool = False,
        **_: Any,
    ) -> None:
        """Record a display."""
        _outputs[0].display(dict(data), dict(metadata or {}), (transient or {}).get("display_id"), update=update)

    def clear_output(self, wait: bool = False) -> None:  # noqa: FBT001, FBT002 - IPython's signature
        """Record that the displays are cleared."""
        _outputs[0].clear(wait=wait)


class JobDisplayHook(DisplayHook):
    """Writes the value of a cell's last expression to the attempt folder."""

    def write_output_prompt(self) -> None:
        """Do nothing: a record needs no prompt."""

    def write_format_data(self, format_dict: dict[str, Any], md_dict: dict[str, Any] | None = None) -> None:
        """Record the value's representation."""
        _outputs[0].result_as(dict(format_dict), dict(md_dict or {}))

    def finish_displayhook(self) -> None:
        """Do nothing: a record needs no end of line."""


class JobCompiler(CachingCompiler):
    """Names a cell, so that a traceback shows where its lines come from."""

    name = "<cell>"

    def get_code_name(self, raw_code: str, transformed_code: str, number: int) -> str:  # noqa: ARG002 - IPython's signature
        """Return the name to use in place of a file name."""
        return self.name


class DiscardedOutputs(dict[int, list[Any]]):
    """Replaces IPython's record of all printed text for ``%notebook``, to save memory: the log has it."""

    def __missing__(self, number: int) -> list[Any]:
        return []


class JobShell(InteractiveShell):
    """IPython's shell, reduced to displaying and running a cell."""

    display_pub_class = Type(JobPublisher)
    displayhook_class = Type(JobDisplayHook)
    compiler_class = Type(JobCompiler)

    def enable_gui(self, gui: str | None = None) -> None:
        """Do nothing: there are no windows, and ``%matplotlib`` draws inline."""

    def ask_exit(self) -> NoReturn:
        """End the job on ``exit`` and ``quit``."""
        raise SystemExit

    def showtraceback(self, *arguments: Any, **options: Any) -> None:
        """Show an error in a file that a cell runs; an error of the cell itself is the job's, and shown as such."""
        if not options.get("running_compiled_code") and not options.get("exception_only"):
            super().showtraceback(*arguments, **options)

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        """Record a displayed traceback, and print it to the log."""
        outputs = _outputs[0]
        began = outputs.offset()
        sys.stdout.write(self.InteractiveTB.stb2text(stb) + "\n")
        kind, message = getattr(etype, "__name__", str(etype)), descriptions.message(evalue)
        outputs.error(descriptions.ErrorText(kind, message, "".join(f"{line}\n" for line in stb)), began)

    def showsyntaxerror(self, filename: Any = None, running_compiled_code: bool = False) -> None:  # noqa: FBT001, FBT002 - IPython's signature
        """Show a syntax error in a file that a cell runs; the cell's own error is the job's, as above."""
        if running_compiled_code:
            super().showsyntaxerror(filename, running_compiled_code)


def install(outputs: Outputs) -> None:
    """Create the shell, so that `display` and the inline backend find it."""
    if InteractiveShell.initialized():
        return
    _outputs[:] = [outputs]
    config = Config()
    config.HistoryManager.enabled = False
    config.JobShell.warn_venv = False
    hook, displayhook = sys.excepthook, sys.displayhook
    shell: Any = JobShell.instance(config=config, user_module=sys.modules["__main__"])
    shell.history_manager.outputs = DiscardedOutputs()
    sys.excepthook, sys.displayhook = hook, displayhook


def run_cell(code: str, name: str, variables: dict[str, Any]) -> dict[str, Any]:
    """Run a cell, and return its namespace.

    Parameters
    ----------
    code : str
        The cell.
    name : str
        Its name in tracebacks.
    variables : dict
        Variables that are defined at its start.

    Raises
    ------
    BaseException
        Any exception that the cell raises.
    """
    shell = JobShell.instance()
    JobCompiler.name = name
    shell.push(variables)
    warnings.filterwarnings("ignore", message="To exit: use")  # intended for a terminal
    result = shell.run_cell(code, store_history=True)
    error = result.error_before_exec or result.error_in_exec
    left = isinstance(error, SystemExit) and error.code in (None, 0)  # a normal exit
    if error is not None and not left:
        raise error.with_traceback(_from(error.__traceback__, name))
    namespace: dict[str, Any] = shell.user_ns
    return namespace


def _from(trace: types.TracebackType | None, name: str) -> types.TracebackType | None:
    """Return the part of a traceback that begins in the cell; all of it if none does."""
    found = trace
    while found is not None and found.tb_frame.f_code.co_filename != name:
        found = found.tb_next
    return found or trace


def end_cell() -> None:
    """Show the open figures, as the end of a cell does."""
    InteractiveShell.instance().events.trigger("post_execute")
