"""Report tqdm bars as the job's progress, without changing its code: read when tqdm itself redraws, never at each step."""

from typing import Any

from ..state import current_job
from ..state.current_job import Bar


def install(cls: Any) -> None:
    """Make a class of bars report its progress whenever one is drawn."""
    draw, end = cls.display, cls.close

    def display(self: Any, *arguments: Any, **options: Any) -> Any:
        _note(self)
        return draw(self, *arguments, **options)

    def close(self: Any) -> Any:
        seen = not self.disable
        if seen:
            _note(self)
        value = end(self)
        writer = current_job.reporter()
        if seen and writer is not None:
            writer.close(id(self))
        return value

    cls.display, cls.close = display, close


def _note(bar: Any) -> None:
    writer = current_job.reporter()
    if writer is None:
        return
    state = bar.format_dict
    done, elapsed = float(state["n"]), float(state["elapsed"])
    rate = state["rate"] or (done / elapsed if elapsed else None)
    total = None if state["total"] is None else float(state["total"])
    writer.show(id(bar), Bar((state["prefix"] or "").rstrip(": "), done, total, state["unit"], elapsed, rate))
