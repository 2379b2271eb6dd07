"""Show a job's outputs here: in a notebook as if they came from this cell, in a terminal as text."""

import sys
from collections.abc import Iterable
from typing import Any


def show(outputs: Iterable[dict[str, Any]]) -> None:
    """Show outputs given in nbformat's form."""
    rich = _in_ipython()
    for output in outputs:
        kind = output["output_type"]
        if kind == "stream":
            sys.stdout.write(output["text"])
        elif kind == "error":
            print("\n".join(output["traceback"]), file=sys.stderr)  # noqa: T201 - where a traceback belongs
        elif rich:
            from IPython.display import publish_display_data

            sys.stdout.flush()
            publish_display_data(dict(output["data"]), dict(output["metadata"]))
        else:
            print(output["data"].get("text/plain", f"<{', '.join(output['data'])}>"))  # noqa: T201 - this is the output
    sys.stdout.flush()


def say(lines: Iterable[str]) -> None:
    """Print a note on a job, below its outputs."""
    for line in lines:
        print(line)  # noqa: T201 - where the outputs are


def _in_ipython() -> bool:
    module = sys.modules.get("IPython")
    return module is not None and module.get_ipython() is not None
