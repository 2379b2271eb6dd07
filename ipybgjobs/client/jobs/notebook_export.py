"""A job as a notebook: a heading, the call as code, its printed and displayed output; valid nbformat, and written whole."""

import json
import os
import pprint
import re
from typing import Any

from ...errors import StoreError
from ...model import moments
from ...system import interrupt_shield, private_file
from .as_json import as_json
from .view import JobView


def write(job: JobView, path: str | os.PathLike[str]) -> None:
    """Write a job to a notebook file.

    Raises
    ------
    StoreError
        If the file can't be written.
    """
    from ...notebooks import format_library

    nbformat = format_library.load()
    record = job.record()
    facts = as_json(job)
    title = f"# job {record.id}: {record.short_title}\n\n{job.status}, submitted {moments.show(record.submitted_at)}"
    cell = nbformat.v4.new_code_cell(call_as_code(job), outputs=job.outputs())
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell(title), cell],
        metadata={"kernelspec": _KERNEL, "language_info": {"name": "python"}, "ipybgjobs": json.loads(json.dumps(facts))},
    )
    nbformat.validate(notebook)
    target, content = os.path.abspath(os.fspath(path)), nbformat.writes(notebook).encode()

    def effect() -> None:
        interrupt_shield.commit_point()
        private_file.write_whole(target, content)

    try:
        interrupt_shield.run(effect, lambda _: f"{target} was written")
    except OSError as error:
        raise StoreError(f"Can't write {target}: {error.strerror}.") from error


_KERNEL = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}


def call_as_code(job: JobView) -> str:
    """Return Python code that submits the same call again; values that are not plain are described, and secrets blanked."""
    call = job.record().call
    owner, _, method = call.target.rpartition(".")
    sent = [f"instance = bg.job({job.id}).instance  # of {owner}, sent by value", ""] if call.has_instance else []
    lines = ["import ipybgjobs as bg", "", *sent, "job = bg.submit("]
    lines.append(f"    instance.{method}," if call.has_instance else f"    {call.target!r},")
    for name, shown in (("params", _shown(call.shown("params"))), ("init", _shown(call.shown("init")))):
        if shown != "{}" or name == "params":
            lines.append(f"    {'' if name == 'params' else 'init='}{shown},")
    return "\n".join([*lines, ")"])


def _shown(values: dict[str, Any]) -> str:
    text = pprint.pformat(values, width=100, sort_dicts=False).replace("\n", "\n    ")
    return re.sub(r"(?<=: )(-?)(nan|inf)(?=[,}])", r"\1float('\2')", text)  # as Python code
