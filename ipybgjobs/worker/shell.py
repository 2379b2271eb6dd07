"""IPython in a job: a shell without terminal, history or input, whose displays become records; loaded with the job's IPython."""

import sys
from typing import Any

from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config

from .outputs import Outputs

_outputs: list[Outputs] = []


class JobPublisher(DisplayPublisher):
    """Writes what is displayed to the attempt folder."""

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
        """Keep a display."""
        _outputs[0].display(dict(data), dict(metadata or {}), (transient or {}).get("display_id"), update=update)

    def clear_output(self, wait: bool = False) -> None:  # noqa: FBT001, FBT002 - IPython's signature
        """Keep that what was shown goes."""
        _outputs[0].clear(wait=wait)


class JobShell(InteractiveShell):
    """IPython's shell, as far as displaying needs it."""

    display_pub_class = Type(JobPublisher)


def install(outputs: Outputs) -> None:
    """Make the shell, so that `display` and the inline backend find it."""
    if InteractiveShell.initialized():
        return
    _outputs[:] = [outputs]
    config = Config()
    config.HistoryManager.enabled = False
    config.JobShell.warn_venv = False
    hook, displayhook = sys.excepthook, sys.displayhook
    JobShell.instance(config=config, user_module=sys.modules["__main__"])
    sys.excepthook, sys.displayhook = hook, displayhook


def end_cell() -> None:
    """Show the figures that are still open, as the end of a cell does."""
    InteractiveShell.instance().events.trigger("post_execute")
